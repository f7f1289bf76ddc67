//! What is typed into a form while it is being sent: that part stays, and is said not to be sent.
//!
//! Contract: pure; knows one text of a form by its field's name, and nothing of what is sent or to whom.

use crate::console::widget::form::{Field, Form, Input};

/// A form that may be under way.
#[derive(Debug, Default)]
pub(super) struct Going {
    /// Whether something was typed since it was sent: then it stays open when the answer comes, and the next letters are no keys.
    since: bool,
    /// What the text said when it was sent.
    sent: String,
}

impl Going {
    /// The form is sent as it is now.
    pub(super) fn goes(&mut self, form: &Form, name: &str) {
        self.since = false;
        form.value(name).clone_into(&mut self.sent);
    }

    /// Something was typed.
    pub(super) const fn typed(&mut self) {
        self.since = true;
    }

    /// Whether something was typed since it was sent.
    pub(super) const fn is_typed_on(&self) -> bool {
        self.since
    }

    /// What was sent was done: says what is left in the form, and takes the sent words out where they stand before the rest. `None`: nothing.
    pub(super) fn left(&self, form: &mut Form, name: &str) -> Option<&'static str> {
        if !self.since {
            return None;
        }
        let Some(rest) = form.value(name).strip_prefix(self.sent.as_str()) else {
            return Some("It went as it was when you sent it; what stands here was changed since and is not sent.");
        };
        let rest = rest.trim_start().to_owned();
        if rest.is_empty() {
            return None;
        }
        if let Some(Field { input: Input::Text(text), .. }) = form.field_mut(name) {
            text.set(&rest);
        }
        Some("What you typed since stands here and is not sent.")
    }
}
