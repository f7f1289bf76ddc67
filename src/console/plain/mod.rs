//! The linear mode, for screen readers and slow lines: typed lines in, lines out; no boxes, no colours, no repaint, no motion.
//!
//! Contract: the same model, update and performer as the console; a line is taken in when everything asked before it was answered, so that
//! a script plays it just as a person does. Ends with the input. Knows no screen.

pub mod echo;
pub mod talk;
mod words;

use std::io::{self, BufRead as _, Write};

use tokio::sync::mpsc;

use super::drive::Perform;
use super::effect::{Effect, Timer};
use super::message::Message;
use super::model::{Model, Place};
use super::update;
use crate::base::ports::Clock;
use talk::Talk;

/// The longest line that is taken in, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// What the linear mode runs on.
pub struct World<'a> {
    /// Typed lines.
    pub input: mpsc::Receiver<String>,
    /// Where lines go.
    pub output: &'a mut (dyn Write + Send),
    /// Does effects.
    pub performer: &'a mut (dyn Perform + Send),
    /// Where answers come back.
    pub answers: mpsc::Receiver<Message>,
    /// This machine's clock.
    pub clock: &'a dyn Clock,
    /// Hides what is typed, or shows it again: a token is not for those who look on.
    pub hide: &'a mut (dyn FnMut(bool) + Send),
}

/// What was asked and not answered yet.
#[derive(Debug, Default)]
struct Open {
    questions: usize,
    form: bool,
}

impl Open {
    fn none(&self) -> bool {
        self.questions == 0 && !self.form
    }

    fn answered(&mut self, message: &Message) -> bool {
        match message {
            Message::Answer { .. } => self.questions = self.questions.saturating_sub(1),
            Message::Timer(Timer::Form) => self.form = false,
            _ => return false,
        }
        true
    }
}

/// Runs until the user leaves or the input ends.
///
/// # Errors
/// When lines can't be read or written.
pub async fn drive(model: &mut Model, world: World<'_>, signed_in: bool) -> io::Result<()> {
    let World { mut input, output, performer, mut answers, clock, hide } = world;
    let mut talk = Talk::default();
    let mut open = Open::default();
    model.shared.now = clock.now();
    say(
        output,
        &["Countersign, linear mode. Type help for commands that apply, read to hear the screen again, more to read on, quit to leave.".to_owned()],
    )?;
    let effects = update::start(model, signed_in);
    perform(effects, model, performer, output, &mut open)?;
    let mut ended = false;
    while !model.ended {
        hide(model.place() == Place::SignIn);
        if ended && open.none() {
            let effects = update::update(model, Message::Ended);
            perform(effects, model, performer, output, &mut open)?;
            break;
        }
        let ready = open.none() && !ended;
        let (messages, sentences, answered) = tokio::select! {
            biased;
            message = answers.recv() => {
                let message = message.unwrap_or(Message::Ended);
                let answered = open.answered(&message);
                (vec![message], Vec::new(), answered)
            }
            line = input.recv(), if ready => {
                ended = line.is_none();
                let (messages, sentences) = line.map_or_else(Default::default, |text| talk.hear(model, &text));
                (messages, sentences, false)
            }
        };
        model.shared.now = clock.now();
        say(output, &sentences)?;
        for message in messages {
            let effects = update::update(model, message);
            perform(effects, model, performer, output, &mut open)?;
        }
        // What is still being asked for would be read out twice: once as it was, once as it is.
        if open.questions == 0 {
            say(output, &talk.tell(model, answered))?;
        }
    }
    output.flush()
}

/// Lines of a reader, read by a thread of its own: a terminal can't be waited for otherwise. Longer ones are cut at `MAX_LINE`: what is beyond
/// is no line of its own.
pub fn lines_of(reader: impl io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (out, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut reader = io::BufReader::new(reader);
        let mut line = Vec::new();
        while let Ok(1..) = io::Read::take(&mut reader, MAX_LINE as u64).read_until(b'\n', &mut line) {
            if line.len() == MAX_LINE && !line.ends_with(b"\n") && reader.skip_until(b'\n').is_err() {
                break;
            }
            let text = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            if out.blocking_send(text).is_err() {
                break;
            }
        }
    });
    lines
}

fn say(output: &mut (dyn Write + Send), lines: &[String]) -> io::Result<()> {
    for line in lines {
        writeln!(output, "{line}")?;
    }
    output.flush()
}

/// Does effects; what needs a terminal is told instead.
fn perform(
    effects: Vec<Effect>,
    model: &mut Model,
    performer: &mut (dyn Perform + Send),
    output: &mut (dyn Write + Send),
    open: &mut Open,
) -> io::Result<()> {
    for effect in effects {
        match effect {
            Effect::Copy(text) => say(output, &[crate::base::text::sanitise(&text, false)])?,
            Effect::Attend(how, text) => {
                let bell = if how == super::attention::How::Bell { "\x07" } else { "" };
                say(output, &[format!("{bell}Attention: {}", crate::base::text::sanitise(&text, false))])?;
            }
            Effect::Edit(_) => {
                let why = "The linear mode opens no editor: type the text; a line with only a dot ends it.";
                model.shared.say(super::model::Tone::Info, why);
            }
            // A countdown is read out when it is asked for: one that runs would be all that is heard.
            Effect::Mouse(_) | Effect::AskBackground | Effect::Quit | Effect::Timer(Timer::Clock, _) => {}
            other => {
                match &other {
                    Effect::Ask { .. } | Effect::Send { .. } => open.questions += 1,
                    Effect::Timer(Timer::Form, _) => open.form = true,
                    _ => {}
                }
                performer.perform(other);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_is_no_further_line() {
        let text = format!("first\n{}tail is no command\nexactly{}\nlast", "x".repeat(MAX_LINE), "y".repeat(MAX_LINE - 8));
        let mut lines = lines_of(io::Cursor::new(text.into_bytes()));
        let mut all = Vec::new();
        while let Some(line) = lines.blocking_recv() {
            all.push(line);
        }
        let lengths: Vec<usize> = all.iter().map(String::len).collect();
        assert_eq!(lengths, [6, MAX_LINE, MAX_LINE, 4]);
        assert!(all[1].bytes().all(|b| b == b'x') && all[2].ends_with("y\n") && all[3] == "last");
    }
}
