//! Temporary access in the demo, as it is: seen in a real terminal with its time running, ended there, and gone in the target's own words; the
//! same by ear and on the command line. And an act taken back.

use std::process::Command;

use serde_json::Value;

use crate::demo::Demo;
use crate::pty::Pty;
use crate::seat::Seat;

/// The grants that live, as nadia lists them, once the target has confirmed those that were ended before.
async fn live(demo: &Demo) -> Vec<Value> {
    let until = std::time::Instant::now() + crate::demo::SOON;
    loop {
        let (status, page) = demo.get("nadia", "/v1/grants").await;
        assert_eq!(status, 200, "{page}");
        let rows = page["rows"].as_array().unwrap();
        if rows.iter().all(|r| r["state"] == "active") {
            return rows.clone();
        }
        assert!(std::time::Instant::now() < until, "{page}");
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_else(|| panic!("{field} of {row}"))
}

/// Waits until a grant is gone by the target's word.
async fn gone(demo: &Demo, grant: &str) -> Value {
    let until = std::time::Instant::now() + crate::demo::SOON;
    loop {
        let (_, page) = demo.get("nadia", "/v1/grants?state=all").await;
        let row = page["rows"].as_array().unwrap().iter().find(|r| r["id"] == grant).unwrap().clone();
        if row["state"] == "ended" {
            return row;
        }
        assert!(std::time::Instant::now() < until, "{row}");
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_11_an_access_that_is_ended_in_the_console_is_gone_by_the_targets_word() {
    let demo = Demo::start();
    let before = live(&demo).await;
    assert!(!before.is_empty(), "the demo gives temporary access");
    let (case, grant) = (text(&before[0], "case").to_owned(), text(&before[0], "id").to_owned());

    let mut nadia = Seat::take(&demo, "nadia", (120, 40), &[]);
    nadia.on("Queue", "gr");
    nadia.pty.shows("1 Live");
    nadia.pty.shows(&format!("▌{case}"));
    nadia.pty.shows("● active");
    // Time runs before one's eyes: the line about the end says something else with nothing pressed.
    let ends = |t: &str| t.lines().find(|l| l.trim_start().starts_with("Ends ") && l.contains(", in ")).map(str::to_owned);
    let seen = ends(&nadia.pty.text());
    assert!(seen.is_some(), "{}", nadia.pty.text());
    nadia.pty.long("a minute less", |s| ends(&s.contents()).is_some_and(|now| Some(&now) != seen.as_ref()));
    nadia.on(&format!("▌{case}"), "xg");
    nadia.on("End the access of", "handed back by phone");
    nadia.on("handed back by phone", "\u{13}");
    nadia.on("It can't be undone because", "y");
    nadia.pty.shows("The access is being ended.");
    let ended = gone(&demo, &grant).await;
    assert_eq!((text(&ended, "ending_why"), live(&demo).await.len()), ("handed_back", before.len() - 1));
    nadia.pty.until("out of the list", |s| !s.contents().contains(&format!("{case} ")));
    nadia.pty.write("2");
    // Those that live end later: they come first.
    nadia.on("✓ ended", "j");
    nadia.pty.shows(&format!("▌{case}"));
    nadia.pty.shows("ended by hand");
    nadia.pty.write("\r");
    nadia.pty.shows("1 Overview");
    let detail = demo.case(&case).await;
    let kept = detail["grants"].as_array().unwrap().iter().find(|g| g["id"] == *grant).unwrap();
    assert_eq!(text(kept, "reason"), "handed back by phone");
    nadia.leave();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_is_heard_of_and_ended_in_the_linear_mode_and_on_the_command_line() {
    let demo = Demo::start();
    let before = live(&demo).await;
    assert!(before.len() >= 2, "{before:#?}");
    let arguments = ["--server", demo.line.api.as_str(), "--plain"];
    let mut nadia = Pty::at_home("nadia", &arguments, &[("COUNTERSIGN_TOKEN", demo.token("nadia"))], (80, 24));
    nadia.hear("Queue, filter");
    nadia.write("grants\n");
    nadia.hear("Temporary access, page 1: Live.");
    nadia.hear(&format!("1. selected: {}", text(&before[0], "case")));
    nadia.write("revoke\n");
    nadia.hear("Reason: empty");
    nadia.write("no longer needed\n.\n");
    nadia.hear("last field");
    nadia.write(":send\n");
    nadia.hear("Type y to end it");
    nadia.write("y\n");
    nadia.hear("The access is being ended.");
    gone(&demo, text(&before[0], "id")).await;
    nadia.write("undo\n");
    nadia.hear("Ending the access can't be undone because the target is told at once");

    let cli = |arguments: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["--server", &demo.line.api])
            .args(arguments)
            .env("COUNTERSIGN_TOKEN", demo.token("nadia"))
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let (second, case) = (text(&before[1], "id"), text(&before[1], "case"));
    let said = cli(&["grants"]);
    assert!(said.contains(second) && said.contains("active") && !said.contains(text(&before[0], "id")), "{said}");
    cli(&["case", "revoke", case, second, "handed back"]);
    gone(&demo, second).await;
    let page: Value = serde_json::from_str(&cli(&["--json", "grants", "--all", "--limit", "1"])).unwrap();
    assert_eq!((page["rows"].as_array().unwrap().len(), page["after"].is_string()), (1, true));

    nadia.write("queue\n");
    nadia.hear("Queue, filter");
    nadia.write("take-next\n");
    nadia.hear("is yours now. undo: u");
    nadia.write("undo\n");
    nadia.hear("Undone: that CS-26-");
    nadia.write("quit\n");
    assert!(nadia.ended().success());
}
