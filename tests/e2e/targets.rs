//! Targets that answer 200 and do something else: the case ends `failed`, with the reason, and the target is not left with too much.

use serde_json::{Value, json};

use crate::demo::Demo;

/// The sample organisation has a sealed case for each of them, with nothing odd about it.
async fn ends(demo: &Demo, subject: &str) -> Value {
    let (_, found) = demo.get("nadia", &format!("/v1/cases?filter=subject:{subject}")).await;
    let sealed = found["rows"].as_array().unwrap().iter().find(|r| r["state"] == "sealed");
    let case = sealed.unwrap_or_else(|| panic!("{found:#}"))["id"].as_str().unwrap().to_owned();
    // Sealed again, since the register moved after it was sealed.
    demo.act("nadia", &case, "reopen", &json!({"text": "the register moved"})).await;
    demo.act("nadia", &case, "seal", &json!({})).await;
    let (status, approved) = demo.decide("d.ruiz", &case, "approve").await;
    assert_eq!(status, 200, "{approved:#}");
    demo.until(&case, "failed").await["executions"].as_array().unwrap().last().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_a_target_that_says_yes_and_does_otherwise_ends_failed_with_the_reason() {
    let demo = Demo::start();
    assert_eq!(ends(&demo, "stuck-sync").await["reason"], "nothing_changed");
    assert_eq!(ends(&demo, "greedy-sync").await["reason"], "too_much");
    let held = demo.account("greedy-sync").await;
    assert!(held["scope"].as_array().unwrap().iter().all(|s| s == "sync.run"), "what was too much was taken back: {held}");
}
