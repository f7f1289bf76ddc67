//! Connectors as the server's configuration names them: each target behind a door of its own.
//!
//! Contract: every mistake is found at the start, before anything is served. One target's door leads to no other. Knows no rules.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::Connector;
use super::sign::Signer;
use super::webhook::Webhook;
use crate::base::ids::TargetId;
use crate::config::keys::read_private;
use crate::config::server::Target;
use crate::outbound::door::{Base, Door, Limits};

/// A target can't be reached as it is configured.
#[derive(Debug, thiserror::Error)]
#[error("target {target}: {why}")]
pub struct TargetProblem {
    /// Which.
    pub target: TargetId,
    /// What is wrong.
    pub why: String,
}

/// A connector for each target.
pub fn connectors(targets: &[Target]) -> Result<BTreeMap<TargetId, Arc<dyn Connector>>, TargetProblem> {
    let one = |target: &Target| {
        let connector = webhook(target).map_err(|why| TargetProblem { target: target.id.clone(), why })?;
        Ok((target.id.clone(), Arc::new(connector) as Arc<dyn Connector>))
    };
    targets.iter().map(one).collect()
}

fn webhook(target: &Target) -> Result<Webhook, String> {
    let slash = if target.url.ends_with('/') { "" } else { "/" };
    let base = Base::new(&format!("{}{slash}", target.url), target.addresses.clone()).map_err(|e| e.to_string())?;
    let roots = match &target.ca_file {
        Some(file) => vec![std::fs::read(file).map_err(|e| format!("{}: {e}", file.display()))?],
        None => Vec::new(),
    };
    let total = Duration::from_secs(target.timeout_seconds);
    let limits = Limits { connect: total.min(Duration::from_secs(5)), total, ..Limits::default() };
    let door = Door::new(vec![base.clone()], &roots, limits).map_err(|e| e.to_string())?;
    let secret = read_private(&target.secret_file).map_err(|e| e.to_string())?;
    let signer = Signer::new(&SecretString::from(secret.trim_end())).map_err(|e| e.to_string())?;
    Ok(Webhook::new(door, base, signer).with_tries(target.tries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::write_private;

    #[test]
    fn a_target_is_taken_whole_or_named_with_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let secret_file = folder.path().join("secret");
        write_private(&secret_file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let target = |url: &str| Target {
            id: "directory".parse().unwrap(),
            url: url.to_owned(),
            secret_file: secret_file.clone(),
            addresses: vec![],
            ca_file: None,
            timeout_seconds: 10,
            tries: 5,
        };
        let good = connectors(&[target("http://127.0.0.1:9000")]).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(good.values().next().unwrap().tries(), 5);
        let why = |t: Target| connectors(&[t]).err().unwrap().to_string();
        assert!(why(target("ftp://x")).starts_with("target directory: "));
        assert!(why(Target { secret_file: folder.path().join("none"), ..target("http://127.0.0.1:9000/") }).contains("none"));
        assert!(why(Target { ca_file: Some(folder.path().join("ca")), ..target("http://127.0.0.1:9000/") }).contains("ca"));
    }
}
