//! The window: pages come and go, the selection stays.

use serde_json::json;

use super::window::{From, MAX_PAGES, Window};
use crate::api::lists::{CaseRow, QueuePage};
use crate::console::action::Action;

fn row(number: usize, version: u64) -> CaseRow {
    serde_json::from_value(json!({
        "id": format!("CS-26-{number:06}"), "version": version, "subject": "s-1", "subject_name": "s", "kind": "employee", "tier": "standard",
        "action": "mfa_reenrolment", "path": "assisted", "channel": "ticket", "state": "proofing", "held": false, "risk": "medium",
        "proof_done": 1, "proof_needed": 2, "waiting_on": "subject", "approvals_missing": 0, "assignee": null, "due": null,
        "opened_at": "2026-03-05T10:00:00Z", "updated_at": "2026-03-05T10:00:00Z", "flags": 0
    }))
    .unwrap()
}

fn page(numbers: std::ops::Range<usize>, last: usize) -> QueuePage {
    let before = (numbers.start > 0).then(|| numbers.start.to_string());
    let after = (numbers.end < last).then(|| numbers.end.to_string());
    QueuePage { rows: numbers.map(|n| row(n, 1)).collect(), before, after }
}

#[test]
fn the_window_is_bounded_and_goes_both_ways() {
    let mut window = Window::default();
    window.take(&From::Start, page(0..10, 1000), 5);
    for n in 1..30 {
        let from = From::After((n * 10).to_string());
        assert_eq!(window.needs(5).as_ref(), Some(&from));
        window.take(&from, page(n * 10..n * 10 + 10, 1000), 5);
        window.select(window.len() - 1, 5);
        assert!(window.len() <= MAX_PAGES * 10);
    }
    assert_eq!(window.current().unwrap().id, row(299, 1).id);
    assert_eq!(window.more(), (true, true));
    window.select(0, 5);
    window.take(&From::Before("240".into()), page(230..240, 1000), 5);
    assert_eq!(window.current().unwrap().id, row(240, 1).id, "the selection stays though rows came before it");
    window.act(Action::Up, 5);
    assert_eq!(window.current().unwrap().id, row(239, 1).id);
    assert!(window.len() <= MAX_PAGES * 10);
}

#[test]
fn a_refresh_that_changes_nothing_says_so_and_newer_rows_win() {
    let mut window = Window::default();
    assert!(window.take(&From::Start, page(0..10, 10), 5));
    window.stale(5);
    assert_eq!(window.needs(5), Some(From::Start));
    assert!(!window.take(&From::Start, page(0..10, 10), 5));
    assert_eq!(window.needs(5), None);
    assert_eq!(window.news(&row(2, 2), 5), (true, true));
    assert_eq!(window.news(&row(2, 1), 5), (true, false), "an older version never replaces a newer one");
    assert_eq!(window.news(&row(9, 2), 5), (true, false), "out of sight");
    assert_eq!(window.news(&row(77, 2), 5), (false, false));
}
