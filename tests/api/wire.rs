//! What clients rely on: codes, texts, versions, and the document.

use axum::http::StatusCode;
use countersign::domain::access::Operation;
use countersign::domain::vocabulary::Role;
use countersign::server::routes::OPERATIONS;
use serde_json::json;

use crate::house::House;

#[tokio::test]
async fn operators_reach_only_what_the_access_table_gives_their_role() {
    let house = House::new().await;
    let id = house.open("nadia", "k1").await.body["row"]["id"].as_str().unwrap().to_owned();
    let holders = [("nadia", Role::SupportAgent), ("sam", Role::Supervisor), ("ines", Role::SecurityReviewer), ("omar", Role::PolicyOwner)];
    for (who, role) in holders {
        for (method, path, operation) in OPERATIONS {
            let path = path.replace("{id}", &id).replace("{grant}", "g");
            let headers = [("idempotency-key", "k"), ("if-match", "\"0\"")];
            let answer = house.send(method, &path, Some(house.token(who)), &headers, Some(&json!({}))).await;
            let given = operation.row().roles.contains(&role);
            // Deciding is refused by the domain, with duties first: here the body is not even a decision.
            if *operation == Operation::CaseDecide {
                continue;
            }
            assert_eq!(answer.code() != "not-permitted", given, "{who} {method} {path}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn operations_have_the_same_codes_everywhere() {
    use countersign::console::action::Action;
    let house = House::new().await;
    let opened = house.open("nadia", "k1").await;
    let known: Vec<&str> = Operation::ALL.iter().map(|o| o.code()).collect();
    let of = |name: &str, field: Option<&str>| {
        let all = opened.body[name].as_array().unwrap().clone();
        all.into_iter().map(|v| field.map_or(v.clone(), |f| v[f].clone()).as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let told = [of("allowed_actions", None), of("refused_actions", Some("action"))].concat();
    for code in &told {
        assert!(known.contains(&code.as_str()), "{code}");
    }
    for action in Action::ALL {
        let Some(code) = action.row().operation else { continue };
        assert!(known.contains(&code), "{code} of the console is no operation");
        let of_no_case = matches!(code, "take_next" | "proposal_approve" | "proposal_end");
        assert!(of_no_case || told.iter().any(|t| t == code), "the case says nothing about {code}");
    }
    let me = house.get("/v1/me", "nadia").await;
    assert!(me.body["operations"].as_array().unwrap().iter().all(|o| known.contains(&o.as_str().unwrap())));
}

#[tokio::test]
async fn a_refused_attempt_is_in_the_log_and_makes_nobodys_view_stale() {
    let house = House::new().await;
    let opened = house.open("nadia", "k1").await;
    let path = format!("/v1/cases/{}", opened.body["row"]["id"].as_str().unwrap());
    let decision = json!({"decision": "approve", "seal_sha256": "0".repeat(64), "nonce": "1.2", "reason": "fine"});
    let headers = [("idempotency-key", "d"), ("if-match", opened.etag.as_deref().unwrap())];
    let refused = house.send("POST", &format!("{path}/decisions"), Some(house.token("nadia")), &headers, Some(&decision)).await;
    assert_eq!(refused.code(), "separation-of-duties", "{}", refused.body);
    assert!(refused.body["duties"][0]["sentence"].as_str().unwrap().starts_with("you "), "{}", refused.body);
    let seen = house.get(&path, "sam").await;
    assert_eq!(seen.etag, opened.etag);
    assert!(seen.body["lineage"].as_array().unwrap().iter().all(|d| !d["sentence"].as_str().unwrap().starts_with("you ")), "{}", seen.body);
    let headers = [("idempotency-key", "c"), ("if-match", opened.etag.as_deref().unwrap())];
    let said = house.send("POST", &format!("{path}/comments"), Some(house.token("sam")), &headers, Some(&json!({"text": "called back"}))).await;
    assert_eq!(said.status, StatusCode::OK, "{}", said.body);
    // Texts are read case by case: the whole log holds none of anybody's.
    for (list, texts) in [(format!("{path}/timeline"), true), ("/v1/log?limit=200".to_owned(), false)] {
        let entries = house.get(&list, "omar").await.body["entries"].as_array().unwrap().clone();
        let of = |event: &str| entries.iter().find(|e| e["event"] == event && !e["case"].is_null()).cloned().unwrap_or_default();
        let said = |text: &str| if texts { json!(text) } else { json!(null) };
        assert_eq!(of("commented")["text"], said("called back"), "{list}");
        assert_eq!(of("opened")["text"], said("can't sign in"), "{list}");
        assert!(of("refused")["summary"].as_str().unwrap().contains("separation-of-duties"), "{list}");
    }
}

#[tokio::test]
async fn a_preview_needs_no_key_changes_nothing_and_tells_software_about_nobody() {
    let house = House::new().await;
    let before = house.get("/v1/counts", "sam").await.body["log"].clone();
    let route = json!({"action": "password_reset", "path": "assisted", "target": "directory", "scope": ["login"]});
    let body = json!({"subject": "okafor", "route": route});
    let ask = |who: &'static str| house.send("POST", "/v1/cases/route-preview", Some(house.token(who)), &[], Some(&body));
    let human = ask("nadia").await;
    assert_eq!(human.status, StatusCode::OK, "{}", human.body);
    assert!(human.body["you_give_up"].as_bool().unwrap() && human.body.to_string().contains("sam"));
    let bot = ask("triage-bot").await;
    assert_eq!(bot.status, StatusCode::OK, "{}", bot.body);
    for secret in ["p-", "e-okafor", "sam", "ines", "Okafor"] {
        assert!(!bot.body.to_string().contains(secret), "{secret}: {}", bot.body);
    }
    let after = house.get("/v1/counts", "sam").await.body["log"].as_u64().unwrap();
    assert_eq!(after, before.as_u64().unwrap() + 2, "that nadia read the record, that the bot asked of it, and nothing else");
}

/// A server that is set up for no target of a case says so before anybody works on it, not when it is carried out.
#[tokio::test]
async fn that_a_target_is_not_set_up_is_told_to_people_before_a_case_is_opened_and_at_each_look() {
    let house = House::new().await;
    let route = json!({"action": "password_reset", "path": "assisted", "target": "directory", "scope": ["login"]});
    let body = json!({"subject": "okafor", "route": route});
    let preview = |who: &'static str| house.send("POST", "/v1/cases/route-preview", Some(house.token(who)), &[], Some(&body));
    let unknown = preview("nadia").await.body;
    assert!(unknown["you_give_up"].is_boolean() && unknown["target_missing"].is_null(), "what is not known is not said: {unknown}");
    house.service.sends_to(["vault".parse().unwrap()]);
    assert_eq!(preview("nadia").await.body["target_missing"], json!(true));
    let opened = house.open("nadia", "k1").await;
    assert_eq!((opened.status, &opened.body["target_missing"]), (StatusCode::CREATED, &json!(true)), "{}", opened.body);
    let path = format!("/v1/cases/{}", opened.body["row"]["id"].as_str().unwrap());
    assert_eq!(house.get(&path, "sam").await.body["target_missing"], json!(true), "who would decide it is told as well");
    let elsewhere = json!({"subject": "okafor", "case": opened.body["row"]["id"],
        "route": {"action": "password_reset", "path": "assisted", "target": "vault", "scope": ["login"]}});
    let refused = house.send("POST", "/v1/cases/route-preview", Some(house.token("nadia")), &[], Some(&elsewhere)).await.body;
    assert!(refused["problem"].is_string() && refused["target_missing"].is_null(), "it is said of the target that was asked for: {refused}");
    let bot = preview("triage-bot").await.body;
    assert!(bot["you_give_up"].is_boolean() && bot["target_missing"].is_null(), "software is told nothing of how a server is set up: {bot}");
}

#[tokio::test]
async fn invariant_06_software_is_told_where_its_case_stands_and_what_is_missing_and_about_nobody() {
    let house = House::new().await;
    let opened = house.open("triage-bot", "k1").await;
    assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
    let path = format!("/v1/cases/{}", opened.body["row"]["id"].as_str().unwrap());
    for seen in [opened.body, house.get(&path, "triage-bot").await.body] {
        for secret in ["\"p-", "e-okafor", "sam", "ines", "nadia\"", "Okafor", "\"corp\""] {
            assert!(!seen.to_string().contains(secret), "{secret}: {seen}");
        }
        let said = |value: &serde_json::Value| match value {
            serde_json::Value::Null => false,
            serde_json::Value::Array(all) => !all.is_empty(),
            _ => true,
        };
        let keys: Vec<&str> = seen.as_object().unwrap().iter().filter(|(_, v)| said(v)).map(|(k, _)| k.as_str()).collect();
        let told = [
            "allowed_actions",
            "approvals_needed",
            "bare",
            "checklist",
            "could_decide",
            "execution_delay_seconds",
            "expires_at",
            "opened_by",
            "policy_sha256",
            "refused_actions",
            "requester",
            "row",
            "scope",
            "subject",
            "target",
        ];
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, told, "{seen}");
        assert!(seen["checklist"]["items"].as_array().is_some_and(|items| !items.is_empty()), "what is missing, by method: {seen}");
        assert_eq!(
            (&seen["subject"]["entitled"], &seen["subject"]["endpoints"], &seen["could_decide"]["operators"]),
            (&json!([]), &json!([]), &json!([]))
        );
    }
}

#[tokio::test]
async fn every_write_refuses_a_body_it_does_not_know_and_changes_nothing() {
    let house = House::new().await;
    let opened = house.open("nadia", "k1").await;
    let (id, etag) = (opened.body["row"]["id"].as_str().unwrap(), opened.etag.as_deref().unwrap());
    for (at, (method, path, operation)) in OPERATIONS.iter().enumerate().filter(|(_, o)| o.0 == "POST") {
        let path = path.replace("{id}", id).replace("{grant}", "g");
        let who = ["nadia", "sam", "ines", "triage-bot"].into_iter().zip([Role::SupportAgent, Role::Supervisor, Role::SecurityReviewer]);
        let who = who.into_iter().find(|(_, r)| operation.row().roles.contains(r)).map_or("triage-bot", |(w, _)| w);
        for (i, wrong) in [json!([]), json!(7), json!("x"), json!({"surprise": 1}), json!(null)].iter().enumerate() {
            let key = format!("m{at}-{i}");
            let headers = [("idempotency-key", key.as_str()), ("if-match", etag)];
            let answer = house.send(method, &path, Some(house.token(who)), &headers, Some(wrong)).await;
            assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "invalid"), "{who} {path} {wrong}: {}", answer.body);
        }
    }
    assert_eq!(house.get(&format!("/v1/cases/{id}"), "sam").await.etag.as_deref(), Some(etag));
}

#[tokio::test]
async fn the_document_is_the_locked_one() {
    let house = House::new().await;
    let document = house.send("GET", "/v1/openapi.json", None, &[], None).await;
    insta::assert_json_snapshot!("openapi", document.body);
}
