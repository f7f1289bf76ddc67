//! Whether the terminal shows what is typed: not while a token is asked for.
//!
//! Contract: line ends stay visible; puts the terminal back as it was when dropped; does nothing where input is no terminal. Knows no model.

/// The terminal that is typed at.
#[derive(Debug, Default)]
pub struct Echo {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Echo {
    /// Hides or shows what is typed from now on.
    #[cfg(unix)]
    pub fn hide(&mut self, hide: bool) {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let input = rustix::stdio::stdin();
        match (hide, self.before.take()) {
            (true, None) => {
                let Ok(before) = tcgetattr(input) else { return };
                let mut quiet = before.clone();
                quiet.local_modes.remove(LocalModes::ECHO);
                quiet.local_modes.insert(LocalModes::ECHONL);
                if tcsetattr(input, OptionalActions::Now, &quiet).is_ok() {
                    self.before = Some(before);
                }
            }
            (true, kept) => self.before = kept,
            (false, Some(before)) => drop(tcsetattr(input, OptionalActions::Now, &before)),
            (false, None) => {}
        }
    }

    /// Other systems' terminals show what is typed.
    #[cfg(not(unix))]
    pub fn hide(&mut self, _hide: bool) {}
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.hide(false);
    }
}
