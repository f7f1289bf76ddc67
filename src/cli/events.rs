//! What changes, as it happens, for scripts: the server's announcements, a line each.
//!
//! Contract: one connection; it ends when the given time or number is over, when its reader goes away, or, as a failure that says how to go on,
//! when the server ends it. Knows no rules.

use std::time::Duration;

use clap::Args;
use futures_util::StreamExt as _;
use serde::Serialize;

use super::out::{Failure, Out, UNREACHABLE};
use super::{Arguments, connect};
use crate::api::lists::Announcement;
use crate::client::{Client, News};

/// The longest that one command listens, in seconds: a day.
const LONGEST: u64 = 24 * 60 * 60;

/// What is listened to, and for how long.
#[derive(Debug, Args)]
pub struct Listen {
    /// Go on after this place: the `id` of the last line that was read. From now on if absent.
    #[arg(long, value_name = "ID")]
    pub after: Option<u64>,
    /// End well after so many seconds.
    #[arg(long = "for", value_name = "SECONDS", default_value_t = LONGEST, value_parser = clap::value_parser!(u64).range(1..=LONGEST))]
    pub seconds: u64,
    /// End well after so many lines.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub most: Option<u64>,
}

/// An announcement as it is printed.
#[derive(Debug, Serialize)]
struct Line<'a> {
    id: Option<u64>,
    #[serde(flatten)]
    what: &'a Announcement,
}

/// Listens.
pub async fn run(listen: &Listen, arguments: &Arguments, out: Out) -> Result<(), Failure> {
    let client = connect::client(arguments)?;
    let mut last = listen.after;
    let heard = tokio::time::timeout(Duration::from_secs(listen.seconds), hear(&client, listen, &mut last, out)).await;
    let Ok(Err(mut failure)) = heard else { return Ok(()) };
    if let Some(last) = last {
        failure.detail = format!("{} Go on with --after {last}.", failure.detail);
    }
    Err(failure)
}

/// Until enough was heard; `last` is where to go on.
async fn hear(client: &Client, listen: &Listen, last: &mut Option<u64>, out: Out) -> Result<(), Failure> {
    let mut events = client.events(listen.after).await?;
    let mut left = listen.most.unwrap_or(u64::MAX);
    while left > 0 {
        let news = events.next().await.ok_or_else(|| Failure::new(UNREACHABLE, "The server ended the stream."))??;
        if !out.each(&Line { id: news.id, what: &news.what }, |_| sentence(&news))? {
            return Ok(());
        }
        *last = news.id.or(*last);
        left -= 1;
    }
    Ok(())
}

fn sentence(news: &News) -> String {
    let place = news.id.map(|id| format!("{id}  ")).unwrap_or_default();
    let says = match &news.what {
        Announcement::Case { row } => {
            let held = if row.held { ", held" } else { "" };
            format!("{}  {}: {}{held}, waiting on {}", row.id, row.subject_name.line(), row.state.label(), row.waiting_on.label())
        }
        Announcement::Register => "the register or the policy changed".to_owned(),
        Announcement::Lagged => "some changes were missed: read again what you look at".to_owned(),
    };
    place + &says
}
