//! The demo's folder of mail: read once, and after that only what is new.
//!
//! Contract: reads `.eml` files of one folder, bounded in number and size; everything in them is from outside and sanitised. Looking at a folder
//! in which nothing changed reads no file and lists none. Knows no screen.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::base::Untrusted;
use crate::client::session::read_small;

/// The most mails that are read and held: more than the sample cases ever sent, so that the oldest (the cards in drawers) can be found.
const MAX_MAILS: usize = 3000;
/// The most bytes read of one mail.
const MAX_MAIL: u64 = 64 * 1024;
/// How long after a folder's last change it is listed again all the same: clocks of file systems are coarse.
const COARSE: Duration = Duration::from_secs(2);

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// To whom.
    pub to: String,
    /// About what.
    pub subject: String,
    /// When, as written in it.
    pub date: String,
    /// The text.
    pub body: String,
}

/// All mails there are, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mails {
    /// Differs whenever the mails do.
    pub stamp: u64,
    /// The mails.
    pub mails: Vec<Arc<Mail>>,
}

/// A mail that was read, and as of when.
#[derive(Debug)]
struct Read {
    changed: SystemTime,
    length: u64,
    mail: Option<Arc<Mail>>,
}

/// A folder and what was read of it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    held: HashMap<OsString, Read>,
    /// Since when nothing came into the folder or left it, if that is certain.
    settled: Option<SystemTime>,
    order: Vec<Arc<Mail>>,
    stamp: u64,
    /// How many files were read so far.
    pub reads: u64,
}

impl Folder {
    /// A folder of which nothing was read yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, held: HashMap::new(), settled: None, order: Vec::new(), stamp: 0, reads: 0 }
    }

    /// The mails, unless they are those that are held already under this stamp.
    ///
    /// # Errors
    /// When the folder can't be read: why, in words.
    pub fn look(&mut self, held: Option<u64>, now: SystemTime) -> Result<Option<Mails>, String> {
        let changed = std::fs::metadata(&self.path).map_err(|why| why.to_string())?.modified().ok();
        if changed.is_none() || self.settled != changed || self.stamp == 0 {
            self.list().map_err(|why| why.to_string())?;
            self.settled = changed.filter(|at| now.duration_since(*at).is_ok_and(|ago| ago > COARSE));
        }
        Ok((held != Some(self.stamp)).then(|| Mails { stamp: self.stamp, mails: self.order.clone() }))
    }

    /// Lists the folder and reads what is new in it.
    fn list(&mut self) -> std::io::Result<()> {
        let entries = std::fs::read_dir(&self.path)?.flatten();
        let mut files: Vec<(SystemTime, OsString, u64)> = entries
            .filter(|e| Path::new(&e.file_name()).extension().is_some_and(|x| x == "eml"))
            .filter_map(|e| e.metadata().ok().and_then(|m| Some((m.modified().ok()?, e.file_name(), m.len()))))
            .filter(|(_, _, length)| *length <= MAX_MAIL)
            .collect();
        files.sort_by(|a, b| b.cmp(a));
        files.truncate(MAX_MAILS);
        let mut before = std::mem::take(&mut self.held);
        let mut same = before.len() == files.len() && self.stamp > 0;
        self.order.clear();
        for (changed, name, length) in files {
            let known = before.remove(&name).filter(|r| r.changed == changed && r.length == length);
            same &= known.is_some();
            let read = known.unwrap_or_else(|| {
                self.reads += 1;
                let bytes = read_small(&self.path.join(&name), MAX_MAIL).ok();
                Read { changed, length, mail: bytes.map(|b| Arc::new(parse(&String::from_utf8_lossy(&b)))) }
            });
            self.order.extend(read.mail.clone());
            self.held.insert(name, read);
        }
        if !same {
            self.stamp += 1;
        }
        Ok(())
    }
}

/// Takes a mail apart as far as the demo's own mails need it: headers, and the text (quoted-printable or base64 decoded).
pub fn parse(raw: &str) -> Mail {
    let raw = raw.replace("\r\n", "\n");
    let (head, body) = raw.split_once("\n\n").unwrap_or((&raw, ""));
    let head = head.replace("\n ", " ").replace("\n\t", " ");
    let header = |name: &str| {
        let found = head.lines().find_map(|l| l.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)));
        Untrusted::from(found.map_or("", |(_, v)| v.trim())).line()
    };
    let body = match header("Content-Transfer-Encoding").to_ascii_lowercase().as_str() {
        "quoted-printable" => quoted_printable(body),
        "base64" => {
            use base64::Engine as _;
            let packed: String = body.split_whitespace().collect();
            base64::engine::general_purpose::STANDARD.decode(packed).map_or_else(|_| body.to_owned(), |b| String::from_utf8_lossy(&b).into_owned())
        }
        _ => body.to_owned(),
    };
    let body = body.replace("\r\n", "\n");
    Mail { to: header("To"), subject: header("Subject"), date: header("Date"), body: Untrusted::from(body.trim()).sanitise() }
}

fn quoted_printable(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let joined = text.replace("=\n", "");
    let mut bytes = joined.bytes();
    while let Some(b) = bytes.next() {
        let rest = bytes.digits_ahead();
        match (b, rest) {
            (b'=', Some(value)) => {
                out.push(value);
                bytes.next();
                bytes.next();
            }
            _ => out.push(b),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Looks two hexadecimal digits ahead.
trait TwoDigits {
    fn digits_ahead(&self) -> Option<u8>;
}

impl TwoDigits for std::str::Bytes<'_> {
    fn digits_ahead(&self) -> Option<u8> {
        let mut ahead = self.clone();
        let (a, b) = (ahead.next()?, ahead.next()?);
        let digit = |c: u8| char::from(c).to_digit(16);
        u8::try_from(digit(a)? * 16 + digit(b)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ports::{Clock as _, SystemClock};

    fn now() -> SystemTime {
        SystemClock::new().now().into()
    }

    #[test]
    fn mails_are_read_decoded_and_sanitised() {
        let raw = "To: a@example.org\r\nSubject: Your\r\n code\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGo to http://127.0.0.1/=\r\nc?x=3D1 =E2=9C=93\x1b[2J=1B\r\n";
        let mail = parse(raw);
        assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("a@example.org", "Your code"));
        assert_eq!(mail.body, "Go to http://127.0.0.1/c?x=1 ✓␛[2J␛");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("1.eml"), raw).unwrap();
        std::fs::write(folder.path().join("other.txt"), raw).unwrap();
        let found = Folder::new(folder.path().to_owned()).look(None, now()).unwrap().unwrap();
        assert_eq!(found.mails, [Arc::new(mail)]);
    }

    #[test]
    fn only_what_is_new_is_read_and_nothing_where_nothing_changed() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..50 {
            std::fs::write(folder.path().join(format!("{n:03}.eml")), format!("To: a@example.org\nSubject: {n}\n\nx")).unwrap();
        }
        let mut mails = Folder::new(folder.path().to_owned());
        let later = || now() + Duration::from_secs(10);
        let first = mails.look(None, later()).unwrap().unwrap();
        assert_eq!((first.mails.len(), mails.reads), (50, 50));
        assert!(mails.look(Some(first.stamp), later()).unwrap().is_none() && mails.reads == 50, "the folder did not change: it is not even listed");
        assert_eq!(mails.look(None, later()).unwrap().unwrap(), first, "whoever holds nothing gets all, without reading");
        std::fs::write(folder.path().join("050.eml"), "To: b@example.org\nSubject: new\n\ny").unwrap();
        let second = mails.look(Some(first.stamp), later()).unwrap().unwrap();
        assert_eq!((second.mails.len(), mails.reads), (51, 51));
        std::fs::remove_file(folder.path().join("007.eml")).unwrap();
        let third = mails.look(Some(second.stamp), now()).unwrap().unwrap();
        assert!(third.mails.len() == 50 && third.mails.iter().all(|m| m.subject != "7") && mails.reads == 51);
        // Changed within the grain of the clock: listed again, and found to be the same.
        assert!(mails.look(Some(third.stamp), now()).unwrap().is_none() && mails.reads == 51);
        assert!(Folder::new(folder.path().join("gone")).look(None, now()).is_err(), "what can't be read is no empty folder");
        std::fs::write(folder.path().join("big.eml"), vec![b'x'; 65 * 1024]).unwrap();
        assert!(mails.look(Some(third.stamp), now()).unwrap().is_none() && mails.reads == 51, "too large to be looked at");
    }
}
