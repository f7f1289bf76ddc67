//! What a served certificate says about itself: until when it is good, and for which name; for whoever looks after a server.
//!
//! Contract: reads the same files in the same way as the listener does, so that what passes here is served. Of X.509 it knows where the two
//! dates stand (RFC 5280, 4.1.2.5) and nothing else; names are judged by the TLS library.

use std::io;
use std::path::Path;

use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::ParsedCertificate;

use crate::base::Time;

/// From when until when a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not before.
    pub from: Time,
    /// Not after.
    pub until: Time,
}

fn wrong(path: &Path, why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {why}", path.display()))
}

/// Reads the pair as the listener does; the first certificate must be the key's own, readable, and good for `name` if one is given.
pub fn examine(certificate: &Path, key: &Path, name: Option<&str>) -> io::Result<Validity> {
    let (_, pair) = super::tls::read(certificate, key)?;
    let first = pair.cert.first().ok_or_else(|| wrong(certificate, "holds no certificate"))?;
    if let Some(name) = name {
        let parsed = ParsedCertificate::try_from(first).map_err(|e| wrong(certificate, e))?;
        let server = ServerName::try_from(name).map_err(|e| wrong(certificate, e))?;
        verify_server_name(&parsed, &server).map_err(|_| wrong(certificate, format!("is not made out for {name}")))?;
    }
    validity(first).ok_or_else(|| wrong(certificate, "its dates can't be read"))
}

/// One value of DER: tag, content, and what follows. Lengths of up to 65,535 bytes, which no certificate in use exceeds.
fn value(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])), rest.get(2..)?),
        _ => return None,
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

/// The dates of a certificate in DER. Version, serial number, algorithm and issuer stand before them.
pub fn validity(der: &[u8]) -> Option<Validity> {
    let (_, certificate, _) = value(der)?;
    let (_, mut rest, _) = value(certificate)?;
    let (tag, _, after) = value(rest)?;
    if tag == 0xa0 {
        rest = after;
    }
    for _ in 0..3 {
        rest = value(rest)?.2;
    }
    let (_, dates, _) = value(rest)?;
    let (tag, from, after) = value(dates)?;
    let from = time(tag, from)?;
    let (tag, until, _) = value(after)?;
    Some(Validity { from, until: time(tag, until)? })
}

/// `YYMMDDHHMMSSZ` (the years from 1950 to 2049) or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &[u8]) -> Option<Time> {
    let text = std::str::from_utf8(text).ok()?;
    let long = match tag {
        0x17 if text.is_char_boundary(2) && text.len() == 13 => format!("{}{text}", if text < "50" { "20" } else { "19" }),
        0x18 => text.to_owned(),
        _ => return None,
    };
    chrono::NaiveDateTime::parse_from_str(&long, "%Y%m%d%H%M%SZ").ok().map(|t| t.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(folder: &Path, from: (i32, u8, u8), until: (i32, u8, u8)) -> (std::path::PathBuf, std::path::PathBuf) {
        let mut asked = rcgen::CertificateParams::new(vec!["recover.example.org".to_owned()]).unwrap();
        asked.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        asked.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        let key = rcgen::KeyPair::generate().unwrap();
        let (cert_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert_file, asked.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        (cert_file, key_file)
    }

    #[test]
    fn dates_and_name_are_read_on_both_sides_of_2050() {
        let folder = tempfile::tempdir().unwrap();
        for (from, until) in [((2026, 1, 31), (2027, 2, 28)), ((1999, 12, 31), (2049, 12, 31)), ((2026, 1, 1), (2075, 6, 1))] {
            let (cert, key) = pair(folder.path(), from, until);
            let seen = examine(&cert, &key, Some("recover.example.org")).unwrap();
            let day = |d: (i32, u8, u8)| format!("{:04}-{:02}-{:02}", d.0, d.1, d.2);
            assert_eq!((seen.from.format("%F").to_string(), seen.until.format("%F").to_string()), (day(from), day(until)));
        }
    }

    #[test]
    fn another_name_another_key_and_rubbish_are_refused_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = pair(folder.path(), (2026, 1, 1), (2027, 1, 1));
        let why = |cert: &Path, key: &Path, name| examine(cert, key, name).unwrap_err().to_string();
        assert!(why(&cert, &key, Some("other.example.org")).contains("not made out for other.example.org"));
        std::fs::write(folder.path().join("other.pem"), rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
        assert!(why(&cert, &folder.path().join("other.pem"), None).contains("other.pem"));
        std::fs::write(&cert, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(why(&cert, &key, None).contains("pem"));
    }

    #[test]
    fn no_bytes_make_the_reader_of_dates_stumble() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = pair(folder.path(), (2026, 1, 1), (2027, 1, 1));
        let (_, loaded) = super::super::tls::read(&cert, &key).unwrap();
        let der = loaded.cert[0].to_vec();
        for at in 0..der.len() {
            assert!(validity(&der[..at]).is_none() || at > 0);
            for bit in [0x01, 0x80, 0xff] {
                let mut bent = der.clone();
                bent[at] ^= bit;
                let _ = validity(&bent);
            }
        }
        assert!(validity(&der).is_some() && validity(&[]).is_none());
    }
}
