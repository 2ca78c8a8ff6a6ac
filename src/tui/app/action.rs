//! What a person can want, as keymaps name it. Every action has a name, a word for hints and a sentence for help; the
//! palette, the help and the footer are made of these, so they can't drift from what the keys do.

/// Where a key is pressed: the keymap's tables. A key is looked up in the focused context first, then in [`Global`].
///
/// [`Global`]: Context::Global
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// Everywhere, after the others.
    Global,
    /// The list of sandboxes.
    Sandboxes,
    /// The list of versions.
    Versions,
    /// The transcript.
    Transcript,
    /// The prompt: what isn't bound here or globally is typed.
    Prompt,
    /// A form's field: as the prompt.
    Form,
    /// A question with choices.
    Question,
    /// A text that scrolls: help, a log, what a restore changes.
    Reader,
    /// The palette, and the line of a filter or search.
    Finder,
}

macro_rules! contexts {
    ($($context:ident $name:literal),* $(,)?) => {
        impl Context {
            /// All of them, in the order of the keymap's file.
            pub const ALL: &[Self] = &[$(Self::$context),*];

            /// The keymap's name of it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$context => $name),*
                }
            }
        }
    };
}

contexts! {
    Global "global", Sandboxes "sandboxes", Versions "versions", Transcript "transcript", Prompt "prompt",
    Form "form", Question "question", Reader "reader", Finder "finder",
}

macro_rules! actions {
    ($($action:ident $name:literal $hint:literal $help:literal;)*) => {
        /// One intent.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $(#[doc = $help] $action),*
        }

        impl Action {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$action),*];

            /// The keymap's name of it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$action => $name),*
                }
            }

            /// One or two words for the footer.
            pub fn hint(self) -> &'static str {
                match self {
                    $(Self::$action => $hint),*
                }
            }

            /// A sentence for help and palette.
            pub fn help(self) -> &'static str {
                match self {
                    $(Self::$action => $help),*
                }
            }
        }
    };
}

actions! {
    // The whole screen.
    Quit "quit" "quit" "Close the screen; sandboxes and turns go on";
    Help "help" "help" "Show all keys";
    Palette "palette" "commands" "Find a command by its name";
    Toasts "toasts" "messages" "Show earlier messages";
    Suspend "suspend" "suspend" "Stop the screen and give the shell back";
    Redraw "redraw" "redraw" "Draw the screen anew";
    ToggleMouse "toggle_mouse" "mouse" "Take the mouse, or leave it to the terminal";
    Interrupt "interrupt" "interrupt" "Interrupt what runs in the chat; else clear the draft; else quit";
    Back "back" "back" "Close what is open, take marks away, or go back";
    Refresh "refresh" "refresh" "Ask the server for everything again";
    // Focus.
    NextPane "next_pane" "next pane" "Go to the next pane";
    PreviousPane "previous_pane" "previous pane" "Go to the pane before";
    FocusSandboxes "focus_sandboxes" "sandboxes" "Go to the sandboxes";
    FocusVersions "focus_versions" "versions" "Go to the versions";
    FocusTranscript "focus_transcript" "chat" "Go to the transcript";
    FocusPrompt "focus_prompt" "prompt" "Go to the prompt";
    // Moving.
    Up "up" "up" "One up";
    Down "down" "down" "One down";
    HalfPageUp "half_page_up" "half page up" "Half a page up";
    HalfPageDown "half_page_down" "half page down" "Half a page down";
    PageUp "page_up" "page up" "One page up";
    PageDown "page_down" "page down" "One page down";
    Top "top" "first" "To the beginning";
    Bottom "bottom" "last" "To the end, and stay there as it grows";
    Open "open" "open" "Open what is selected";
    Filter "filter" "filter" "Show only what fits";
    Sort "sort" "sort" "Sort the list by something else";
    // Marking.
    Mark "mark" "mark" "Mark the selected row or take its mark away";
    MarkRange "mark_range" "mark to here" "Mark all from the row marked last to the selected";
    MarkAll "mark_all" "mark all" "Mark all that is shown, or take its marks away";
    CopyIds "copy_ids" "copy id" "Copy the ids of the selected or the marked rows";
    // Sandboxes and versions.
    CreateSandbox "create_sandbox" "new" "Create a sandbox";
    TerminateSandbox "terminate_sandbox" "terminate" "Terminate the selected or the marked sandboxes";
    Save "save" "save" "Save the selected or the marked workspaces as versions";
    Restore "restore" "restore" "Show what restoring the selected version would change, then restore it";
    ToggleEnded "toggle_ended" "ended" "Show or hide sandboxes that ended";
    ShowProgress "show_progress" "progress" "Show what is being done, with its log";
    // The transcript.
    NextItem "next_item" "next item" "Select the next item";
    PreviousItem "previous_item" "previous item" "Select the item before";
    ToggleFold "toggle_fold" "fold" "Show or hide the inside of the selected item";
    ToggleFolds "toggle_folds" "fold all" "Show or hide the inside of all items";
    Search "search" "search" "Search the conversation";
    NextMatch "next_match" "next match" "Go to the next match";
    PreviousMatch "previous_match" "previous match" "Go to the match before";
    SelectRange "select_range" "select" "Begin or end a selection of several items";
    CopyItem "copy_item" "copy" "Copy what is selected, as it was written";
    CopyCode "copy_code" "copy code" "Copy the last block of code of the selected item";
    PageTranscript "page_transcript" "pager" "Read the whole conversation in $PAGER";
    // The prompt.
    Send "send" "send" "Send the prompt";
    NewLine "new_line" "new line" "Begin a new line";
    EditPrompt "edit_prompt" "editor" "Write the prompt in $EDITOR";
    OlderPrompt "older_prompt" "older" "The prompt before this one";
    NewerPrompt "newer_prompt" "newer" "The prompt after this one";
    Undo "undo" "undo" "Undo the last change";
    Redo "redo" "redo" "Do it again";
    // Dialogs.
    NextField "next_field" "next" "Go to the next field";
    PreviousField "previous_field" "previous field" "Go to the field before";
    Accept "accept" "accept" "Take what is shown";
    Yes "yes" "yes" "Yes";
    No "no" "no" "No";
}
