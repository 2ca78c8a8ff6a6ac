#!/bin/sh
# A stand-in for the Claude CLI: the same lines, one word at a time. It notes that it was started, stops at a gate in the
# middle of its answer, and does what a tool would do after it.
case "$*" in *--version*) echo "2.1.330 (Claude Code)"; exit 0 ;; esac
session=00000000-0000-4000-8000-000000000000
while [ $# -gt 0 ]; do
    case "$1" in --session-id | --resume) session=$2 ;; esac
    shift
done
echo start >> /tmp/starts
[ -p /tmp/gate ] || mkfifo /tmp/gate
text() {
    printf '{"type":"assistant","message":{"id":"msg_%s","type":"message","role":"assistant","model":"claude-opus-5-5","content":[{"type":"text","text":"%s"}],"stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}},"parent_tool_use_id":null,"session_id":"%s","uuid":"10000000-0000-4000-8000-00000000000%s"}\n' \
        "$1" "$2" "$session" "$1"
}
printf '{"type":"system","subtype":"init","cwd":"%s","session_id":"%s","tools":["Bash"],"mcp_servers":[],"model":"claude-opus-5-5","permissionMode":"bypassPermissions","slash_commands":[],"apiKeySource":"ANTHROPIC_API_KEY","uuid":"10000000-0000-4000-8000-000000000000"}\n' \
    "$PWD" "$session"
text 1 "first heron"
read -r _ < /tmp/gate
echo grey > /mnt/workspace/heron.txt
text 2 "second heron"
printf '{"type":"result","subtype":"success","is_error":false,"duration_ms":1,"duration_api_ms":1,"num_turns":1,"result":"second heron","session_id":"%s","total_cost_usd":0.01,"usage":{"input_tokens":1,"output_tokens":1},"permission_denials":[],"uuid":"10000000-0000-4000-8000-000000000009"}\n' \
    "$session"
