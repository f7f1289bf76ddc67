//! A message as its reader sees it, for suites that read the mail folder.
//!
//! Contract: what is not in the message fails the test that asks for it. Knows nothing about who sent it.

#![allow(dead_code, reason = "each suite uses its own part")]

/// A message as its reader sees it.
#[derive(Debug, Clone)]
pub struct Letter {
    pub to: String,
    pub subject: String,
    pub body: String,
}

impl Letter {
    /// Reads a file of mail.
    pub fn parse(text: &str) -> Self {
        let text = text.replace("\r\n", "\n");
        let (head, body) = text.split_once("\n\n").unwrap();
        let header = |name: &str| head.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default().trim().to_owned();
        Self { to: header("To:"), subject: header("Subject:"), body: body.to_owned() }
    }

    /// The eight digits that were sent.
    pub fn code(&self) -> String {
        let code = |l: &&str| l.len() == 9 && l.as_bytes()[4] == b' ' && l.bytes().filter(u8::is_ascii_digit).count() == 8;
        self.body.lines().map(str::trim).find(code).unwrap_or_else(|| panic!("no code in {}", self.body)).to_owned()
    }

    /// The link to a page: `p` proof, `a` attestation, `n` not me.
    pub fn link(&self, page: &str) -> String {
        let found = self.body.lines().map(str::trim).find(|l| l.starts_with("http") && l.contains(&format!("/{page}/")));
        found.unwrap_or_else(|| panic!("no link in {}", self.body)).to_owned()
    }

    /// The word that stops a request.
    pub fn word(&self) -> String {
        let (_, rest) = self.body.split_once("type the word \"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// The code on the card in the subject's drawer.
    pub fn card(&self) -> String {
        self.body.lines().find_map(|l| l.strip_prefix("Saved recovery code: ")).unwrap().trim().to_owned()
    }
}
