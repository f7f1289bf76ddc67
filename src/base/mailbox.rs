//! Mail addresses in the form in which those of one mailbox are equal.
//!
//! Contract: pure. When in doubt addresses are taken for the same: that asks for more proof, never for less. Knows nothing about who reads them.

/// A mail address in the form in which addresses of one mailbox are equal: lower case, without a `+tag`, without the dots that some
/// providers ignore, with its domain in ASCII.
pub fn mailbox(address: &str) -> String {
    let address = address.trim().to_lowercase();
    let Some((local, domain)) = address.rsplit_once('@') else { return address };
    let local = local.split('+').next().unwrap_or(local).replace('.', "");
    let domain = domain.trim_end_matches('.');
    let domain = match url::Host::parse(domain) {
        Ok(url::Host::Domain(ascii)) => ascii,
        _ => domain.to_owned(),
    };
    let domain = if domain == "googlemail.com" { "gmail.com".to_owned() } else { domain };
    format!("{local}@{domain}")
}
