//! The console's floor: the least that a ratatui list over many rows costs.
//!
//! Contract: rows are computed, nothing is loaded; keys `j k g G`, arrows and `q`. Everything the console does beyond this is its own cost.

use std::io;

use crossterm::event::{self, Event, KeyCode};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph};

fn row(index: u64) -> String {
    let state = ["new", "proofing", "awaiting approval", "executing"][usize::try_from(index % 4).unwrap_or(0)];
    format!("CS-26-{index:07}  subject-{:06}  {state:<18} password reset  due {:>4} min", (index * 7919) % 1_000_000, (index * 17) % 9999)
}

/// Shows `rows` rows until `q`.
pub fn run(rows: u64) -> io::Result<()> {
    let mut terminal = ratatui::init();
    let (mut top, mut selected) = (0_u64, 0_u64);
    let outcome = loop {
        let drawn = terminal.draw(|frame| {
            let [head, body, foot] = Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)]).areas(frame.area());
            let block = Block::bordered().title("Queue");
            let inner = block.inner(body);
            let page = u64::from(inner.height.max(1));
            top = top.clamp((selected + 1).saturating_sub(page), selected);
            let lines: Vec<Line> = (top..(top + page).min(rows))
                .map(|i| Line::styled(row(i), if i == selected { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() }))
                .collect();
            frame.render_widget(Paragraph::new(format!("floor  {rows} cases")), head);
            frame.render_widget(block, body);
            frame.render_widget(Paragraph::new(lines), inner);
            frame.render_widget(Paragraph::new(format!("{}/{rows}", selected + 1)), foot);
        });
        if let Err(error) = drawn {
            break Err(error);
        }
        match event::read() {
            Err(error) => break Err(error),
            Ok(Event::Key(key)) => match key.code {
                KeyCode::Char('q') => break Ok(()),
                KeyCode::Char('j') | KeyCode::Down => selected = (selected + 1).min(rows - 1),
                KeyCode::Char('k') | KeyCode::Up => selected = selected.saturating_sub(1),
                KeyCode::Char('G') | KeyCode::End => selected = rows - 1,
                KeyCode::Char('g') | KeyCode::Home => selected = 0,
                _ => {}
            },
            Ok(_) => {}
        }
    };
    ratatui::restore();
    outcome
}
