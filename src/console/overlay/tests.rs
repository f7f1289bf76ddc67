//! What keys and clicks do to a list and to a question.

use super::*;

fn press(overlay: &mut Overlay, code: KeyCode) -> Outcome {
    overlay.key(KeyEvent::new(code, KeyModifiers::NONE), AREA)
}

const AREA: Rect = Rect { x: 0, y: 1, width: 80, height: 22 };

#[test]
fn only_its_own_key_confirms() {
    let order = Order { write: crate::client::Write::Seal, case: None, version: None, key: "k".into(), draft: None };
    let make = || Overlay::Confirm(Confirmation::new("?".into(), vec![], "do it", Place::Queue, order.clone()));
    for other in [KeyCode::Enter, KeyCode::Char('s'), KeyCode::Char('Y'), KeyCode::Char(' ')] {
        assert!(matches!(press(&mut make(), other), Outcome::Astray(why) if why.contains("y to do it, Esc to cancel")));
    }
    assert!(matches!(make().key(KeyEvent::new(KeyCode::Char('y'), KeyModifiers::CONTROL), AREA), Outcome::Astray(_)));
    for cancels in [KeyCode::Esc, KeyCode::Char('n')] {
        assert_eq!(press(&mut make(), cancels), Outcome::Gone);
    }
    assert_eq!(press(&mut make(), KeyCode::Char('y')), Outcome::Confirmed(Place::Queue, Box::new(order.clone())));
}

#[test]
fn enter_takes_the_row_that_is_marked_and_what_was_typed_is_a_row_too() {
    let choices = || vec![Choice::new("d.ruiz", "d.ruiz", "on shift"), Choice::new("m.chen", "m.chen", "on shift")];
    let typed = |text: &str, down: usize| {
        let mut pick = Overlay::Pick(Picker::new("assign", "Give to", choices()).or_typed());
        for c in text.chars() {
            press(&mut pick, KeyCode::Char(c));
        }
        for _ in 0..down {
            press(&mut pick, KeyCode::Down);
        }
        press(&mut pick, KeyCode::Enter)
    };
    assert_eq!(typed("rui", 0), Outcome::Picked("assign", "d.ruiz".into()));
    assert_eq!(typed("rui", 1), Outcome::Picked("assign", "rui".into()));
    assert_eq!(typed("kofi", 0), Outcome::Picked("assign", "kofi".into()));
    assert_eq!(typed("m.chen", 0), Outcome::Picked("assign", "m.chen".into()));
    assert_eq!(typed("", 1), Outcome::Picked("assign", "m.chen".into()));
}

#[test]
fn a_click_picks_what_it_hits() {
    let area = Rect::new(0, 1, 80, 22);
    let make = || Overlay::Pick(Picker::new("x", "Commands", vec![Choice::new("a", "one", ""), Choice::new("b", "two", "")]));
    let Overlay::Pick(picker) = make() else { return };
    let place = picker.place(area);
    assert_eq!(make().click(area, place.x + 3, place.y + 3), Outcome::Picked("x", "b".into()));
    assert_eq!(make().click(area, place.x + 3, place.y + 4), Outcome::Stays, "an empty line");
    assert_eq!(make().click(area, place.x + 3, place.y), Outcome::Stays, "the frame");
    assert_eq!(make().click(area, 0, 1), Outcome::Gone);
}

#[test]
fn a_list_narrows_by_what_is_typed() {
    let choices = vec![Choice::new("a", "take-next", "most urgent"), Choice::new("b", "theme", "colours"), Choice::new("c", "quit", "leave")];
    let mut pick = Overlay::Pick(Picker::new("x", "Commands", choices));
    for c in "thm".chars() {
        assert_eq!(press(&mut pick, KeyCode::Char(c)), Outcome::Stays);
    }
    assert_eq!(press(&mut pick, KeyCode::Enter), Outcome::Picked("x", "b".into()));
    press(&mut pick, KeyCode::Char('z'));
    assert_eq!(press(&mut pick, KeyCode::Enter), Outcome::Stays);
}
