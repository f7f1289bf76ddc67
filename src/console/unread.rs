//! What lies unread in the terminal is read now, not when the next key comes.
//!
//! crossterm learns only once that the terminal has something to read, and forgets it where a new size comes in the same moment (the key lies there
//! until the next one comes, or the new size is never told) and where more comes at once than it reads in one go.
//!
//! Contract: passes events on as they are; looks after them once they stop coming, never on a timer. Knows no key and no screen.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use crossterm::event::Event;
use futures_util::Stream;

/// The terminal that events come from.
pub trait Tty {
    /// Columns and rows, if that can be told.
    fn size(&self) -> Option<(u16, u16)>;
    /// Has what lies there unread told once more.
    fn stir(&self);
}

/// The process's own.
#[derive(Debug)]
pub struct Own;

impl Tty for Own {
    fn size(&self) -> Option<(u16, u16)> {
        crossterm::terminal::size().ok()
    }

    /// Settings are set as they are: that wakes whoever waits for the terminal, on Linux at least.
    #[cfg(unix)]
    fn stir(&self) {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
        let input = rustix::stdio::stdin();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if matches!(poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&at_once)), Ok(1..))
            && let Ok(settings) = tcgetattr(input)
        {
            let _ = tcsetattr(input, OptionalActions::Now, &settings);
        }
    }

    /// Other systems tell of it for as long as it lies there.
    #[cfg(not(unix))]
    fn stir(&self) {}
}

/// Events, none of which is left lying.
#[derive(Debug)]
pub struct Read<S, T> {
    events: S,
    tty: T,
    size: Option<(u16, u16)>,
    /// Whether something came, or nothing was looked at yet.
    due: bool,
}

impl<S, T> Read<S, T> {
    /// The events of a terminal. The size is told at first, as it may have changed while nobody listened.
    pub const fn new(events: S, tty: T) -> Self {
        Self { events, tty, size: None, due: true }
    }
}

impl<S: Stream<Item = io::Result<Event>> + Unpin, T: Tty + Unpin> Stream for Read<S, T> {
    type Item = io::Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let next = Pin::new(&mut this.events).poll_next(cx);
        if next.is_ready() {
            this.due = true;
            if let Poll::Ready(Some(Ok(Event::Resize(columns, rows)))) = next {
                this.size = Some((columns, rows));
            }
            return next;
        }
        if !std::mem::take(&mut this.due) {
            return Poll::Pending;
        }
        this.tty.stir();
        match this.tty.size() {
            Some(size) if this.size != Some(size) => {
                this.size = Some(size);
                Poll::Ready(Some(Ok(Event::Resize(size.0, size.1))))
            }
            _ => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;

    use super::*;

    /// A terminal whose size changes without a word, and whose keys lie there until somebody stirs.
    #[derive(Default)]
    struct Sullen {
        size: Cell<(u16, u16)>,
        lying: RefCell<VecDeque<Event>>,
        told: RefCell<VecDeque<Event>>,
        stirred: Cell<usize>,
    }

    impl Tty for &Sullen {
        fn size(&self) -> Option<(u16, u16)> {
            Some(self.size.get())
        }
        fn stir(&self) {
            self.stirred.set(self.stirred.get() + 1);
            self.told.borrow_mut().append(&mut self.lying.borrow_mut());
        }
    }

    impl Stream for &Sullen {
        type Item = io::Result<Event>;
        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.told.borrow_mut().pop_front().map_or(Poll::Pending, |e| Poll::Ready(Some(Ok(e))))
        }
    }

    #[test]
    fn what_came_with_something_else_is_not_left_lying() {
        let tty = Sullen::default();
        tty.size.set((100, 30));
        let mut read = Read::new(&tty, &tty);
        let mut next = || match Pin::new(&mut read).poll_next(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(Some(Ok(event))) => Some(event),
            _ => None,
        };
        assert_eq!((next(), next(), tty.stirred.get()), (Some(Event::Resize(100, 30)), None, 1), "the size is told at first");
        assert_eq!((next(), tty.stirred.get()), (None, 1), "nothing came: nothing is looked after");
        // A new size is told, the key that came with it is not.
        tty.told.borrow_mut().push_back(Event::Resize(80, 24));
        tty.lying.borrow_mut().push_back(Event::FocusGained);
        tty.size.set((80, 24));
        assert_eq!((next(), next(), next(), next()), (Some(Event::Resize(80, 24)), None, Some(Event::FocusGained), None));
        // A key is told, the size that came with it is not.
        tty.told.borrow_mut().push_back(Event::FocusLost);
        tty.size.set((60, 12));
        assert_eq!((next(), next(), next()), (Some(Event::FocusLost), Some(Event::Resize(60, 12)), None));
    }
}
