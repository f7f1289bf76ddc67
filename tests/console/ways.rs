//! Views that are saved, messages that are read again, leaving, clicks, keys of one's own: what a user has must not be lost or named wrongly.

use countersign::api::lists::QueuePage;
use countersign::console::effect::{Ask, Effect};
use countersign::console::keep::{MAX_VIEWS, View};
use countersign::console::keymap::Keymap;
use countersign::console::message::{Live, Message, Reply};
use countersign::console::model::Place;
use countersign::console::{ConsoleConfig, update};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use crate::desk::{Desk, usual};
use crate::{cases, whole};

fn view(name: &str, filter: &str) -> View {
    View { name: name.into(), filter: filter.into(), sort: None }
}

/// A console with a view in its settings.
fn with_given() -> Desk {
    let mut desk = Desk::new(120, 40, |c| c.views = vec![view("night", "due:<2h"), view("hot", "risk:high")], Box::new(usual), true);
    desk.tell(Message::Live(Live::Up));
    desk.press("g q");
    desk
}

fn kept(desk: &Desk) -> Vec<(String, Option<View>)> {
    desk.done.iter().filter_map(|e| if let Effect::KeepView(name, view) = e { Some((name.clone(), view.clone())) } else { None }).collect()
}

fn by_name(desk: &mut Desk, words: &str) {
    desk.press(":");
    desk.write(words);
    desk.press("enter");
}

#[test]
fn views_of_the_settings_are_never_saved_and_saved_ones_can_be_removed() {
    let mut desk = with_given();
    desk.press("v");
    let text = desk.text();
    assert!(text.contains("night") && text.contains("due:<2h  (of the settings)") && text.contains("high risk"), "{text}");
    desk.press("esc");
    by_name(&mut desk, "remove-view");
    assert!(desk.text().contains("No view was saved; those of the settings stand in console.toml."), "{}", desk.text());
    desk.press("esc / ctrl-u");
    desk.write("mine");
    desk.press("enter V");
    desk.write("hot");
    desk.press("enter");
    let saved = view("hot", "mine");
    assert_eq!(kept(&desk), [("hot".to_owned(), Some(saved.clone()))], "that one alone:\n{}", desk.text());
    desk.press("v");
    assert_eq!(desk.text().matches("hot").count(), 1, "the saved one goes first:\n{}", desk.text());
    desk.write("night");
    desk.press("enter");
    assert_eq!(desk.model.screens.queue.filter(), Some("due:<2h"));
    by_name(&mut desk, "remove-view");
    assert!(desk.text().contains("Remove which saved view?") && !desk.text().contains("night"), "{}", desk.text());
    desk.press("enter");
    assert!(desk.text().contains("Removed \"hot\". The one of the settings by that name is shown again."), "{}", desk.text());
    assert_eq!(kept(&desk).pop().unwrap(), ("hot".to_owned(), None));
    desk.press("u");
    assert_eq!(kept(&desk).pop().unwrap(), ("hot".to_owned(), Some(saved.clone())), "and can be had back");
    assert_eq!(desk.model.shared.views, [saved]);
}

#[test]
fn no_view_is_dropped_for_another_and_those_of_another_console_are_known() {
    let mut desk = with_given();
    let all: Vec<View> = (0..MAX_VIEWS).map(|n| view(&format!("v{n}"), "mine")).collect();
    desk.tell(Message::Views(all.clone()));
    desk.press("V");
    desk.write("more");
    desk.press("enter");
    assert!(desk.text().contains("100 views are saved: remove one first with remove-view."), "{}", desk.text());
    assert!(kept(&desk).is_empty() && desk.model.shared.views == all);
    desk.press("V");
    desk.write("v7");
    desk.press("enter");
    assert_eq!((kept(&desk).len(), desk.model.shared.views.len()), (1, MAX_VIEWS), "in place of the one of its name");
}

#[test]
fn a_message_stays_selected_whatever_happens_and_is_found_by_its_words() {
    let mut desk = Desk::usual(80, 24);
    for n in 0..30 {
        desk.tell(Message::Trouble(format!("Trouble number {n:02}, of somebody.")));
    }
    desk.press("! j j y");
    let copies =
        |desk: &Desk| desk.done.iter().filter_map(|e| if let Effect::Copy(text) = e { Some(text.clone()) } else { None }).collect::<Vec<_>>();
    desk.press("y y");
    assert!(copies(&desk).len() == 3 && copies(&desk).iter().all(|c| c.contains("Trouble number 27")), "{:?}", copies(&desk));
    desk.tell(Message::Trouble("Another.".into()));
    desk.tell(Message::Trouble("Another.".into()));
    assert!(desk.text().lines().any(|l| l.starts_with('▌') && l.contains("number 27")), "{}", desk.text());
    desk.press("/");
    desk.write("SOMEBODY number 04");
    assert!(desk.text().contains("1 found") && !desk.text().contains("number 27"), "{}", desk.text());
    desk.press("enter y");
    assert!(copies(&desk).last().unwrap().contains("Trouble number 04"), "{:?}", copies(&desk));
    desk.press("backspace");
    assert!(desk.text().lines().any(|l| l.starts_with('▌') && l.contains("number 04")), "{}", desk.text());
    desk.press("g g");
    assert!(desk.text().contains("Messages, newest first; / finds") && desk.text().contains("Another. (2 times)"), "{}", desk.text());
    desk.press("/");
    desk.write("nothing like it");
    assert!(desk.text().contains("No message holds these words."), "{}", desk.text());
    desk.press("esc g g");
    desk.tell(Message::Trouble(format!("Long: {}the end.", "and so on ".repeat(60))));
    desk.press("g g");
    assert!(desk.text().contains("the end."), "a long one is read whole:\n{}", desk.text());
}

#[test]
fn leaving_while_a_change_is_on_its_way_is_asked_for_twice() {
    let mut desk = Desk::usual(80, 24);
    desk.press("g q j");
    let effects = update::update(&mut desk.model, Message::Key(KeyEvent::from(KeyCode::Char('L'))));
    let sent = effects.iter().find_map(|e| if let Effect::Send { seq, to, .. } = e { Some((*seq, *to)) } else { None });
    let (seq, to) = sent.expect("it is sent");
    desk.press("q");
    assert!(!desk.model.ended && desk.text().contains("Something is still being sent"), "{}", desk.text());
    desk.tell(Message::Answer { seq, to, reply: Ok(Reply::Written(Box::default())) });
    desk.press("q");
    assert!(desk.model.ended, "once it is answered there is nothing to lose");
}

fn click(desk: &mut Desk, column: u16, row: u16) {
    desk.tell(Message::Mouse(MouseEvent { kind: MouseEventKind::Down(MouseButton::Left), column, row, modifiers: KeyModifiers::NONE }));
}

#[test]
fn only_what_is_drawn_can_be_clicked() {
    let mut desk = Desk::new(80, 24, |c| c.mailbox = Some("mails".into()), Box::new(usual), true);
    desk.tell(Message::Live(Live::Up));
    desk.press("g q");
    let head = desk.text().lines().next().unwrap().to_owned();
    assert!(!head.contains("Mailbox"), "{head}");
    for column in 0..80 {
        click(&mut desk, column, 0);
        assert_ne!(desk.model.place(), Place::Mailbox, "column {column} of {head}");
        let name = match desk.model.place() {
            Place::Policy(_) => "Policy",
            Place::Log => "Log",
            Place::Grants => "Grants",
            Place::Approvals => "Approvals",
            _ => "",
        };
        assert!(head.contains(name), "column {column}: {name} is not in {head}");
        desk.press("g q");
    }
    let mut desk = Desk::usual(160, 40);
    let selected = |desk: &Desk| desk.text().lines().find(|l| l.starts_with('▌')).map(|l| l[..20].to_owned());
    let before = selected(&desk);
    for row in 3..9 {
        click(&mut desk, 150, row);
        click(&mut desk, 150, row);
    }
    assert_eq!((desk.model.place(), selected(&desk)), (Place::Queue, before.clone()), "the case beside the list is no row of it");
    click(&mut desk, 10, 4);
    assert_ne!(selected(&desk), before);
}

#[test]
fn texts_name_the_keys_that_are_bound() {
    let keys = "[keys]\nrefresh = 'f5'\nfilter = 'f'\nunfilter = 'F'\nviews = 'ctrl-v'\ntake-next = []\nwrite-reason = 'w'\nsend-decision = 'f9'\n";
    let mine = |c: &mut ConsoleConfig| c.keymap = Keymap::parse("keymap.toml", keys).unwrap();
    let empty = Box::new(|ask: &Ask| match ask {
        Ask::Cases(_) => Some(Ok(Reply::Cases(QueuePage { rows: vec![], before: None, after: None }))),
        other => usual(other),
    });
    let desk = Desk::new(120, 40, mine, empty, true);
    let wanted = "No case here. f changes the filter, F drops it, Ctrl-v chooses a view, :take-next takes the next case.";
    assert!(desk.text().contains(wanted), "{}", desk.text());
    let mut desk = cases::keys((120, 40), &whole::ruiz(), &whole::sealed(), "d a");
    desk.model.shared.keymap = Keymap::parse("keymap.toml", keys).unwrap();
    desk.press("j");
    assert!(desk.text().contains("w writes the reason; F9 sends, once confirmed; Esc leaves"), "{}", desk.text());
    desk.press("!");
    assert!(desk.text().contains("Messages, newest first; f finds"), "{}", desk.text());
    let lost = Box::new(|ask: &Ask| match ask {
        Ask::Cases(_) => Some(Err(countersign::client::ClientError::Configuration("It is broken.".into()))),
        other => usual(other),
    });
    let desk = Desk::new(120, 40, mine, lost, true);
    assert!(desk.text().contains("F5 tries again."), "{}", desk.text());
}
