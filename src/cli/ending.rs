//! What ends a server: its user's word, or the end of the terminal that it was started from.
//!
//! Contract: any other hangup asks for certificates to be read again, which the listeners do, and never ends the server, with TLS or without. One
//! that outlived its terminal is ended by no later hangup. Knows nothing about what is served.

#[cfg(unix)]
use std::time::Duration;

/// How often it is looked whether the terminal is still there.
#[cfg(unix)]
const LOOKED: Duration = Duration::from_secs(2);
/// How long the hangup of a terminal that is gone is waited for: it comes with the end of the terminal, or never.
#[cfg(unix)]
const HANGUP: Duration = Duration::from_secs(5);

/// Whether the process is to end with its terminal. Asked before anybody listens to SIGHUP, which undoes what `nohup` said.
pub(super) fn with_terminal() -> bool {
    has_terminal() && !hangups_ignored()
}

/// Until the terminal it was started from hangs up. Listens from the call on.
/// `certificates`: whether there are any to be read again.
pub(super) fn until_left(ends_with_terminal: bool, certificates: bool) -> impl Future<Output = ()> {
    #[cfg(unix)]
    let hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
    async move {
        #[cfg(unix)]
        if let Ok(hangup) = hangup {
            return left(hangup, ends_with_terminal, certificates).await;
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn left(mut hangup: tokio::signal::unix::Signal, mut ends_with_terminal: bool, certificates: bool) {
    loop {
        let heard = if ends_with_terminal {
            let there = has_terminal();
            match tokio::time::timeout(if there { LOOKED } else { HANGUP }, hangup.recv()).await {
                Ok(heard) => heard,
                Err(_) if there => continue,
                Err(_) => {
                    // It was left running: a hangup of another day is nobody's who closed it.
                    ends_with_terminal = false;
                    tracing::info!("the terminal is gone without a hangup: the server runs on, and no hangup ends it");
                    continue;
                }
            }
        } else {
            hangup.recv().await
        };
        // The system takes the terminal away before it tells of it.
        if heard.is_none() {
            return std::future::pending().await;
        }
        if ends_with_terminal && !has_terminal() {
            return;
        }
        if certificates {
            tracing::info!("certificates are read again; other settings count from the next start");
        } else {
            tracing::info!("there is no [tls], so nothing is read again: settings count from the next start");
        }
    }
}

/// Whether the process has a controlling terminal.
fn has_terminal() -> bool {
    cfg!(unix) && std::fs::File::open("/dev/tty").is_ok()
}

/// Whether whoever started the process had hangups ignored, as `nohup` has; false where the system does not say.
fn hangups_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangups(&status))
}

fn ignores_hangups(status: &str) -> bool {
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    mask.and_then(|m| u64::from_str_radix(m.trim(), 16).ok()).is_some_and(|m| m & 1 == 1)
}

/// Until the process is asked to end. Listens from the call on.
pub(super) fn until_told() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let asked = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate()).and_then(|term| Ok((term, signal(SignalKind::interrupt())?)))
    };
    async move {
        #[cfg(unix)]
        if let Ok((mut term, mut interrupt)) = asked {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[cfg(test)]
mod tests {
    use super::ignores_hangups;

    #[test]
    fn nohup_is_known_by_the_signals_that_are_ignored() {
        assert!(ignores_hangups("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignores_hangups("SigIgn:\t0000000000001000\n") && !ignores_hangups("SigBlk:\t0000000000000001\n"));
    }
}
