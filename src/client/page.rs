//! The pages of subjects and attesters, filled in as they would: for the demo, where one person plays everyone.
//!
//! Contract: only pages on this machine (loopback); one try, no retry, since tries are counted. Knows nothing about screens.

use std::time::Duration;

use reqwest::header::{COOKIE, SET_COOKIE};
use url::{Host, Url};

use super::ClientError;

/// How long the page may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Types a code into a proof page; says what the page made of it.
///
/// # Errors
/// A sentence, when the page did not take it or is not on this machine.
pub async fn type_code(link: &str, code: &str) -> Result<(), ClientError> {
    let answer = send(&web()?, &here(link)?, &[("code", code)], None).await?;
    match answer.status().as_u16() {
        200 => Ok(()),
        303 => Err(wrong("This page asks more than a code; open the link in a browser.")),
        status => Err(not_taken(status)),
    }
}

/// Answers the question of an attester's page, after the code of their message; says what the page made of it.
///
/// # Errors
/// A sentence, when the page did not take the code or the answer, or is not on this machine.
pub async fn attest(link: &str, code: &str, yes: bool) -> Result<(), ClientError> {
    let (web, url) = (web()?, here(link)?);
    let admitted = send(&web, &url, &[("code", code)], None).await?;
    if admitted.status().as_u16() != 303 {
        return Err(not_taken(admitted.status().as_u16()));
    }
    // The pass is the one cookie that the page gives; it is shown once more and forgotten.
    let given = admitted.headers().get(SET_COOKIE).and_then(|c| c.to_str().ok()).and_then(|c| c.split(';').next());
    let pass = given.ok_or_else(|| wrong("The page took the code and gave no pass."))?.to_owned();
    let question = here(&format!("{}/answer", link.trim_end_matches('/')))?;
    let answer = send(&web, &question, &[("answer", if yes { "yes" } else { "no" }), ("confirm", "yes")], Some(&pass)).await?;
    match answer.status().as_u16() {
        200 => Ok(()),
        status => Err(not_taken(status)),
    }
}

fn wrong(why: &str) -> ClientError {
    ClientError::Configuration(why.to_owned())
}

/// The address of a page, if it is on this machine.
fn here(link: &str) -> Result<Url, ClientError> {
    let url = Url::parse(link).map_err(|e| wrong(&format!("The link can't be read: {e}.")))?;
    let here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if here { Ok(url) } else { Err(wrong("Only pages of a demo on this machine can be typed into from here; open the link in a browser.")) }
}

fn web() -> Result<reqwest::Client, ClientError> {
    let web = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(TIMEOUT).build();
    web.map_err(|e| wrong(&format!("The connection can't be set up: {e}.")))
}

async fn send(web: &reqwest::Client, url: &Url, form: &[(&str, &str)], pass: Option<&str>) -> Result<reqwest::Response, ClientError> {
    let request = web.post(url.clone()).form(form);
    let request = if let Some(pass) = pass { request.header(COOKIE, pass) } else { request };
    request.send().await.map_err(|e| ClientError::Unreachable { server: "the page".into(), why: format!("{e}.") })
}

fn not_taken(status: u16) -> ClientError {
    wrong(match status {
        422 => "The page says that this code is wrong; tries are counted.",
        429 => "The page takes no more tries for now.",
        _ => "The page did not take it: the link is used up or has ended.",
    })
}
