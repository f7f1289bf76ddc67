//! Import into a real store: dry run first, refused rows named, young addresses, idempotence.

use countersign::service::import::{Format, Kind};
use countersign::store::Store;

use crate::house::{House, id};

const PERSONS: &str = "id,name,email,employer,manager\np-new,New One,new@corp.example,corp,p-kim\np-bad,,x,corp,p-nobody\np-new,Twice,,corp,\n";

#[tokio::test]
async fn a_dry_run_tells_what_a_run_will_do_and_changes_nothing() {
    let house = House::new().await;
    let (size, _) = house.store.head().await.unwrap();
    let dry = house.service.import(Kind::Persons, Format::Csv, PERSONS.as_bytes(), true).await.unwrap();
    assert_eq!(house.store.head().await.unwrap().0, size);
    assert_eq!((dry.rows, dry.new, dry.refused), (3, 1, 2), "{dry:?}");
    assert_eq!((dry.refusals[0].line, dry.refusals[1].line), (3, 4));
    let real = house.service.import(Kind::Persons, Format::Csv, PERSONS.as_bytes(), false).await.unwrap();
    assert_eq!((real.new, real.refused), (dry.new, dry.refused));
    assert!(house.store.register().await.unwrap().persons.contains_key(&id("p-new")));
    let again = house.service.import(Kind::Persons, Format::Csv, PERSONS.as_bytes(), false).await.unwrap();
    assert_eq!((again.new, again.changed, again.unchanged), (0, 0, 1), "{again:?}");
}

#[tokio::test]
async fn subjects_are_recorded_and_a_changed_address_is_young() {
    let house = House::new().await;
    let json = |address: &str| {
        format!(
            r#"[{{"id":"ci-key","kind":"api_key","name":"CI key","tier":"standard","environment":"production","owners":["p-kim"],
                "inventory":"secrets_manager","entitlements":{{"directory":["login"]}},
                "endpoints":[{{"id":"e1","kind":"email","address":"{address}","recorded_at":"2025-01-01T00:00:00Z"}}]}},
               {{"id":"x","kind":"api_key","name":"x","tier":"standard","environment":"production","owners":["p-nobody"]}}]"#
        )
    };
    let run = |text: String| {
        let service = house.service.clone();
        async move { service.import(Kind::Subjects, Format::Json, text.as_bytes(), false).await.unwrap() }
    };
    let first = run(json("ci@corp.example")).await;
    assert_eq!((first.new, first.refused, first.refusals[0].line), (1, 1, 4), "{first:?}");
    let second = run(json("ci@corp.example")).await;
    assert_eq!((second.unchanged, second.changed), (1, 0));
    house.clock.pass(60);
    let third = run(json("evil@corp.example")).await;
    assert_eq!(third.changed, 1);
    let record = house.store.subject(&id("ci-key")).await.unwrap().unwrap();
    assert_eq!(record.subject.endpoints[0].recorded_at, house.service.now());
}
