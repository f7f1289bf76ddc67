//! Temporary access from the command line, through the API like everyone.
//!
//! Contract: one command is one request. Knows no rules: the server decides; a grant is ended by `case revoke`.

use clap::Args;

use super::desk::more;
use super::out::{Failure, Out, table};
use super::{Arguments, connect};
use crate::api::lists::{GrantPage, GrantParams, GrantRow};
use crate::base::text::sanitise;
use crate::domain::view::MAX_PAGE;

/// How grants are listed.
#[derive(Debug, Args)]
pub struct Grants {
    /// Those that ended too, the one that ended last first.
    #[arg(long)]
    pub all: bool,
    /// How many, 1 to 200.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_PAGE)))]
    pub limit: Option<u16>,
    /// Go on after this cursor.
    #[arg(long)]
    pub after: Option<String>,
}

/// Lists them.
pub async fn run(list: &Grants, arguments: &Arguments, out: Out) -> Result<(), Failure> {
    let client = connect::client(arguments)?;
    let params = GrantParams { state: list.all.then(|| "all".to_owned()), after: list.after.clone(), limit: list.limit };
    out.answer(&client.grants(&params).await?, rows)
}

/// Where a grant stands: how long its end is not confirmed, and why it ends, included.
fn state(row: &GrantRow) -> String {
    match (row.ending_since, row.ending_why, row.revoked_at) {
        (_, why, Some(at)) => format!("ended {}{}", at.format("%Y-%m-%d %H:%M"), why.map(|w| format!(", {}", w.label())).unwrap_or_default()),
        (Some(since), _, None) => format!("{}, unconfirmed since {}", row.state.label(), since.format("%Y-%m-%d %H:%M")),
        _ => row.state.label().to_owned(),
    }
}

fn rows(page: &GrantPage) -> String {
    if page.rows.is_empty() {
        return "No temporary access.".to_owned();
    }
    let time = |t: chrono::DateTime<chrono::Utc>| t.format("%Y-%m-%d %H:%M").to_string();
    let cells = page.rows.iter().map(|g| {
        let scope = sanitise(&g.scope.join(", "), false);
        vec![g.id.to_string(), g.case.to_string(), g.subject_name.line(), g.target.to_string(), scope, time(g.since), time(g.expires_at), state(g)]
    });
    let text = table(&["GRANT", "CASE", "SUBJECT", "TARGET", "SCOPE", "SINCE (UTC)", "UNTIL (UTC)", "STATE"], &cells.collect::<Vec<_>>());
    text + &more(page.rows.len(), page.after.as_ref())
}
