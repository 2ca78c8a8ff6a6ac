//! What a screen asks of conversations.

use serde_json::{Value, json};

use crate::{chatty, get, program::Running};

#[test]
fn a_conversation_is_read_in_parts_and_searched() {
    let Some((place, _api, gate)) = chatty() else { return };
    place.json(&["sandbox", "create", "--name", "heron"]);
    let path = "/v1/sandboxes/heron";
    let scope = "account=default&profile=local";
    let none = get(&place, &format!("{path}/conversation?{scope}&limit=10"));
    assert_eq!(none, json!({"conversation": null, "items": [], "more_before": false, "more_after": false}));

    let mut chat = Running::start(place.command(&["chat", "heron", "Count the herons\nof the lake"]));
    chat.wait_for("first heron");
    gate.open();
    assert_eq!(chat.finish().0, Some(0));
    let last = get(&place, &format!("{path}/conversation?{scope}&limit=2"));
    let info = &last["conversation"];
    assert_eq!(info["title"], "Count the herons");
    assert!(info["model"].as_str().is_some_and(|model| model.starts_with("claude")), "{info}");
    let positions = |page: &Value| -> Vec<u64> {
        page["items"].as_array().unwrap().iter().map(|item| item["position"].as_u64().unwrap()).collect()
    };
    // The prompt, its answer, the result.
    assert_eq!(
        (positions(&last), &last["more_before"], &last["more_after"]),
        (vec![1, 2], &json!(true), &json!(false))
    );
    let first = get(&place, &format!("{path}/conversation?{scope}&limit=2&before=1"));
    assert_eq!(
        (positions(&first), &first["more_before"], &first["more_after"]),
        (vec![0], &json!(false), &json!(true))
    );
    let all = get(&place, &format!("{path}/conversation?{scope}&limit=100&around=1"));
    assert_eq!(positions(&all), [0, 1, 2]);

    assert_eq!(get(&place, &format!("{path}/search?{scope}&text=HERON")), json!([0, 1]));
    assert_eq!(get(&place, &format!("{path}/search?{scope}&text=")), json!([]));
    let spent = get(&place, "/v1/usage?account=default&since=2020-01-01T00:00:00Z");
    assert_eq!(spent, info["usage"]);
    let later = get(&place, "/v1/usage?account=default&since=2100-01-01T00:00:00Z");
    assert_eq!(later["cost"], 0);
}
