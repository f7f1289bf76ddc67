//! A subject's page, typed into as the subject would: for the demo, where one person plays everyone.
//!
//! Contract: only pages on this machine (loopback); one try, no retry, since tries are counted. Knows nothing about screens.

use std::time::Duration;

use url::{Host, Url};

use super::ClientError;

/// How long the page may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Types a code into a proof page; says what the page made of it.
///
/// # Errors
/// A sentence, when the page did not take it or is not on this machine.
pub async fn type_code(link: &str, code: &str) -> Result<(), ClientError> {
    let wrong = |why: String| ClientError::Configuration(why);
    let url = Url::parse(link).map_err(|e| wrong(format!("The link can't be read: {e}.")))?;
    let here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if !here {
        return Err(wrong("Only pages of a demo on this machine can be typed into from here; open the link in a browser.".into()));
    }
    let web = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(TIMEOUT).build();
    let web = web.map_err(|e| wrong(format!("The connection can't be set up: {e}.")))?;
    let answer = web.post(url).form(&[("code", code)]).send().await;
    let answer = answer.map_err(|e| ClientError::Unreachable { server: "the page".into(), why: format!("{e}.") })?;
    match answer.status().as_u16() {
        200 => Ok(()),
        303 => Err(wrong("This page asks more than a code; open the link in a browser.".into())),
        422 => Err(wrong("The page says that this code is wrong; tries are counted.".into())),
        429 => Err(wrong("The page takes no more tries for now.".into())),
        _ => Err(wrong("The page did not take it: the link is used up or has ended.".into())),
    }
}
