//! What the mouse means: what lies over the screen goes first, then the tabs of the head line, then the screen in front.
//!
//! Contract: as `update`: no I/O. Nothing can be done with the mouse that no key does. Knows no screen.

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};

use super::model::Model;
use super::update::{act, on_key, on_outcome};
use super::view;

/// Takes in what the mouse did.
pub(super) fn on_mouse(model: &mut Model, event: MouseEvent) {
    if matches!(event.kind, MouseEventKind::Moved | MouseEventKind::Drag(_) | MouseEventKind::Up(_)) {
        return;
    }
    if let Some(overlay) = &mut model.overlay {
        let code = match event.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                let outcome = overlay.click(model.shared.body(), event.column, event.row);
                model.shared.dirty = true;
                return on_outcome(model, outcome);
            }
            MouseEventKind::ScrollDown => KeyCode::Down,
            MouseEventKind::ScrollUp => KeyCode::Up,
            _ => return,
        };
        return on_key(model, KeyEvent::from(code));
    }
    if event.row == 0 {
        if let Some(action) = view::tab_at(model, event.column) {
            act(model, action);
        }
        return;
    }
    let (place, area) = (model.place(), model.shared.body());
    let (screen, shared) = model.screen_mut(place);
    screen.mouse(shared, place, event, area);
}
