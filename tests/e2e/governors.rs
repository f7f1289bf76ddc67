//! The way back for those who govern, with the real program on the server's machine (invariant 17).

use std::time::{Duration, Instant};

use chrono::Utc;
use serde_json::Value;

use crate::host::Host;

fn token_of(host: &Host, who: &str, account: &str) -> String {
    let register = host.there(who, &["register", "show"], 0);
    let tokens = register["tokens"].as_array().unwrap();
    let held = |t: &&Value| t["holder"] == format!("operator:{account}");
    tokens.iter().find(held).unwrap()["id"].as_str().unwrap().to_owned()
}

#[test]
fn invariant_17_two_governors_who_lost_everything_come_back_after_the_delay_in_sight_of_everyone() {
    let mut host = Host::founded("", "");
    let refused = host.here(&["recover-governance", "ana", "ben"], 3);
    assert!(refused["detail"].as_str().unwrap().contains("can govern"), "{refused}");
    assert!(!host.path("ana.recovery.token").exists());
    host.serve();
    let (ana, ben) = (token_of(&host, "ana", "ana"), token_of(&host, "ana", "ben"));
    host.there("ana", &["token", "revoke", &ana], 0);
    host.there("ben", &["token", "revoke", &ben], 0);
    host.there("ana", &["whoami"], 4);
    let busy = host.here(&["recover-governance", "ana", "ben"], 2);
    assert!(!busy["detail"].as_str().unwrap().is_empty(), "not while a server uses the database: {busy}");
    host.stop();
    let found = host.here(&["doctor"], 1);
    let governance = found["findings"].as_array().unwrap().iter().find(|f| f["what"] == "governance").unwrap().clone();
    assert!(governance["ok"] == false && governance["says"].as_str().unwrap().contains("recover-governance"), "{governance}");
    let folder = host.path("").display().to_string();
    let old = host.path("ana.token").display().to_string();
    let refused = host.here(&["recover-governance", "ana", "ben", "--tokens", &folder, "--proof", &old], 3);
    assert!(refused["detail"].as_str().unwrap().contains("never revoked"), "a revoked token shows nothing: {refused}");
    host.here(&["recover-governance", "ana", "ana", "--tokens", &folder], 3);
    host.here(&["recover-governance", "ana", "zoe", "--tokens", &folder], 3);
    host.here(&["recover-governance", "ana"], 2);
    let done = host.here(&["recover-governance", "ana", "ben", "--tokens", &folder], 0);
    assert_eq!((&done["proved"], &done["not_told"]), (&Value::Bool(false), &serde_json::json!(["p-ana", "p-ben"])));
    assert_eq!(
        (&done["counts_from"], &done["expires_at"]),
        (&Value::Null, &Value::Null),
        "its delay begins when the server has told everyone: {done}"
    );
    let again = host.here(&["recover-governance", "ana", "ben", "--tokens", &folder], 2);
    assert!(again["mistakes"][0].as_str().unwrap().contains("recovery.token"), "no file is overwritten: {again}");
    host.serve();
    std::fs::copy(host.path("ana.recovery.token"), host.path("back.token")).unwrap();
    host.there("back", &["whoami"], 4);
    let until = Instant::now() + Duration::from_secs(30);
    let from = loop {
        let found = host.here(&["doctor"], 1);
        let governance = found["findings"].as_array().unwrap().iter().find(|f| f["what"] == "governance").unwrap().clone();
        if let Some((_, from)) = governance["says"].as_str().unwrap().split_once("counts from ") {
            break chrono::NaiveDateTime::parse_from_str(from, "%Y-%m-%d %H:%M UTC").unwrap().and_utc();
        }
        assert!(Instant::now() < until, "its delay has not begun: {governance}");
    };
    assert!(from > Utc::now() + chrono::Duration::hours(23), "{from}");
    host.stop();
    assert_eq!(host.here(&["recover-governance", "--stop"], 0)["revoked"], 2);
    assert_eq!(host.here(&["recover-governance", "--stop"], 0)["revoked"], 0);
    let proof = host.path("back.token").display().to_string();
    host.here(&["recover-governance", "ana", "ben", "--proof", &proof, "--tokens", &host.path("x").display().to_string()], 3);
    host.here(&["log verify"], 0);
}
