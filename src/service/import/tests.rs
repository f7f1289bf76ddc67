//! Parsing and checking of rows; writing them is tested with a real store in `tests/outside`.

use std::collections::BTreeSet;

use super::parse::{Format, Row, rows};
use super::person::{self, PersonIn};
use super::subject::{self, SubjectIn};
use crate::base::ids::PersonId;
use crate::domain::register::{Person, Register};
use crate::domain::vocabulary::Status;

fn now() -> crate::base::Time {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn register(ids: &[&str]) -> Register {
    let person = |id: &str| Person {
        id: PersonId::parse(id).unwrap(),
        employer: "corp".parse().unwrap(),
        team: None,
        manager: None,
        shift: None,
        on_call: false,
        status: Status::Active,
    };
    Register { persons: ids.iter().map(|id| (PersonId::parse(id).unwrap(), person(id))).collect(), ..Register::default() }
}

fn subjects(format: Format, text: &str) -> Vec<Row<SubjectIn>> {
    rows(format, text.as_bytes()).unwrap()
}

const HEADER: &str = "id,kind,name,person,tier,environment,owners,entitlements,endpoints\n";

#[test]
fn csv_and_json_read_the_same_subject() {
    let csv = format!(
        "{HEADER}m.okafor,employee,\"Okafor, M.\",p-1,standard,corporate,,directory:login+mail,e1|email|m@corp.example|2026-01-01T00:00:00Z|\n"
    );
    let json = r#"[
        {"id":"m.okafor","kind":"employee","name":"Okafor, M.","person":"p-1","tier":"standard","environment":"corporate",
         "entitlements":{"directory":["login","mail"]},
         "endpoints":[{"id":"e1","kind":"email","address":"m@corp.example","recorded_at":"2026-01-01T00:00:00Z"}]}
    ]"#;
    let (a, b) = (subjects(Format::Csv, &csv), subjects(Format::Json, json));
    assert_eq!((a[0].line, b[0].line), (2, 2));
    let check = |row: &Row<SubjectIn>| subject::check(row.row.as_ref().unwrap(), &register(&["p-1"]), None, now()).unwrap();
    assert_eq!(check(&a[0]), check(&b[0]));
    assert_eq!(check(&a[0]).endpoints[0].recorded_at.to_rfc3339(), "2026-01-01T00:00:00+00:00");
}

#[test]
fn a_file_that_is_no_table_is_not_told_back_whole() {
    let told = |text: &str| rows::<SubjectIn>(Format::Csv, text.as_bytes()).unwrap_err().to_string();
    let long = told(&"\u{0}\u{1b}x".repeat(1_000_000));
    assert!(long.starts_with("Line 1: unknown columns: ") && long.len() < 1_000 && long.contains('\u{2026}'), "{} bytes", long.len());
    let many = told(&(0..100_000).map(|n| format!("c{n}")).collect::<Vec<_>>().join(","));
    assert!(many.contains("c0, c1, c2, c3, c4, c5, c6, c7 and 99992 more") && many.len() < 1_000, "{} bytes", many.len());
}

#[test]
fn every_mistake_of_a_row_is_listed_with_its_line() {
    let csv = format!("{HEADER}ok,api_key,k,,standard,production,p-1,vault:read,\nBAD ID,wizard,,p-9,huge,moon,p-8,vault:RE AD,e|email|nomail\n");
    let all = subjects(Format::Csv, &csv);
    assert!(subject::check(all[0].row.as_ref().unwrap(), &register(&["p-1"]), None, now()).is_ok());
    assert_eq!(all[1].line, 3);
    let why = subject::check(all[1].row.as_ref().unwrap(), &register(&["p-1"]), None, now()).unwrap_err();
    for field in ["id:", "kind:", "name:", "tier:", "environment:", "owners: p-8", "entitlements:", "endpoints: not a mail", "person: p-9"] {
        assert!(why.iter().any(|w| w.starts_with(field)), "{field} not in {why:?}");
    }
}

#[test]
fn a_changed_address_is_young_and_a_retired_identity_stays_so() {
    let row = |address: &str, status: &str| {
        let json = format!(
            r#"{{"id":"a","kind":"api_key","name":"a","tier":"standard","environment":"production","status":"{status}","owners":["p-1"],
               "endpoints":[{{"id":"e","kind":"email","address":"{address}","recorded_at":"2020-01-01T00:00:00Z","confirmed_at":"2020-01-01T00:00:00Z"}}]}}"#
        );
        subjects(Format::Json, &json).remove(0).row.unwrap()
    };
    let reg = register(&["p-1", "p-2"]);
    let first = subject::check(&row("a@x.example", "active"), &reg, None, now()).unwrap();
    let later = now() + chrono::Duration::days(1);
    assert_eq!(subject::check(&row("a@x.example", "active"), &reg, Some(&first), later).unwrap(), first);
    let moved = subject::check(&row("b@x.example", "active"), &reg, Some(&first), later).unwrap();
    assert_eq!(moved.endpoints[0].recorded_at, later);
    let retired = subject::check(&row("a@x.example", "retired"), &reg, Some(&first), later).unwrap();
    assert!(subject::check(&row("a@x.example", "active"), &reg, Some(&retired), later).is_err());
    let orphaned = r#"{"id":"a","kind":"api_key","name":"a","tier":"standard","environment":"production"}"#;
    let orphan = subject::check(subjects(Format::Json, orphaned)[0].row.as_ref().unwrap(), &reg, Some(&first), later).unwrap();
    assert_eq!(orphan.owners[0].until, Some(later), "former owners are kept");
}

#[test]
fn files_that_are_no_such_files_are_refused_whole() {
    let bad = |format, bytes: &[u8]| rows::<PersonIn>(format, bytes).unwrap_err().to_string();
    assert!(bad(Format::Csv, b"id,name,password\n").contains("password"));
    assert!(bad(Format::Csv, b"name\n").contains("id among them"));
    assert!(bad(Format::Csv, b"id,id\n").contains("twice"));
    assert!(bad(Format::Csv, b"id,name\nx,\xff\n").contains("Line 2"));
    assert!(bad(Format::Json, b"[{\"id\":1},\n{").contains("Line 2"));
    assert!(bad(Format::Json, b"[] {}").contains("']'"));
    assert!(bad(Format::Csv, "id,name\n\x1b[31m,x\n".replace("name", "\u{202e}").as_bytes()).contains("U+202E"));
}

#[test]
fn persons_are_read_and_checked() {
    let csv = "id,name,email,employer,manager,shift,on_call,status\np-1,Ana,ana@corp.example,corp,p-2,22:00-06:00,yes,\np-2,Ben,,corp,p-2,9-17,maybe,\np-3,Cy,x@y,corp,p-9,,,gone\n,,,\n";
    let all = rows::<PersonIn>(Format::Csv, csv.as_bytes()).unwrap();
    let named: BTreeSet<String> = ["p-1", "p-2", "p-3"].map(str::to_owned).into();
    let (ana, details) = person::check(all[0].row.as_ref().unwrap(), &register(&[]), &named, now()).unwrap();
    assert_eq!((ana.shift.unwrap().start, ana.on_call, details.email.unwrap().raw().to_owned()), (1320, true, "ana@corp.example".into()));
    let ben = person::check(all[1].row.as_ref().unwrap(), &register(&[]), &named, now()).unwrap_err();
    assert!(ben.len() == 3 && ["on_call:", "manager:", "shift:"].iter().all(|f| ben.iter().any(|w| w.starts_with(f))), "{ben:?}");
    let why = person::check(all[2].row.as_ref().unwrap(), &register(&[]), &named, now()).unwrap_err();
    assert_eq!(why.len(), 3, "{why:?}");
    assert!(all[3].row.as_ref().unwrap_err().contains("cells"));
}

#[test]
fn letters_that_are_not_seen_are_refused_with_every_other_mistake_of_the_row() {
    let csv = "id,name,email,employer,on_call\np-1,Ana\u{202e}x,ana\u{7}@corp.example,corp,maybe\np-2,Zo\u{eb} M\u{fc}ller,z@corp.example,corp,yes\n";
    let all: Vec<Row<PersonIn>> = rows(Format::Csv, csv.as_bytes()).unwrap();
    let why = person::check(all[0].row.as_ref().unwrap(), &register(&[]), &BTreeSet::new(), now()).unwrap_err();
    for mistake in ["on_call: write yes or no", "name: holds U+202E", "email: holds U+0007"] {
        assert!(why.iter().any(|w| w.starts_with(mistake)), "{mistake} not in {why:?}");
    }
    assert!(person::check(all[1].row.as_ref().unwrap(), &register(&[]), &BTreeSet::new(), now()).is_ok());
    let checked = |name: &str, email: &str| {
        let csv = format!("id,name,email,employer\np-1,{name},{email},corp\n");
        let all: Vec<Row<PersonIn>> = rows(Format::Csv, csv.as_bytes()).unwrap();
        person::check(all[0].row.as_ref().unwrap(), &register(&[]), &BTreeSet::new(), now())
    };
    for unseen in ["\u{200b}", "\u{2060}", "\u{feff}", "\u{ad}", "\u{e0041}", "\u{200d}"] {
        assert!(checked(&format!("Ana{unseen} Ruiz"), "ana@corp.example").is_err(), "{unseen:?} in a name");
        assert!(checked("Ana Ruiz", &format!("ana{unseen}@corp.example")).is_err(), "{unseen:?} in an address");
    }
    assert!(checked("\u{645}\u{200c}\u{646}", "ana@corp.example").is_ok(), "a joiner that is spelling stays");
}

#[test]
fn the_readme_names_every_column() {
    let readme = include_str!("../../../README.md");
    for column in <super::subject::SubjectIn as super::parse::FromCells>::COLUMNS {
        assert!(readme.contains(&format!("`{column}`")), "{column}");
    }
    assert!(readme.contains(&<super::person::PersonIn as super::parse::FromCells>::COLUMNS.join(",")));
}
