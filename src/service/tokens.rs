//! Tokens: made here, hashed at rest, presented as `cs_<token id>_<secret>`.
//!
//! Contract: comparison in constant time; every failure looks the same to a stranger. Knows no HTTP.

use std::collections::BTreeSet;

use subtle::ConstantTimeEq as _;

use super::{Service, ServiceError};
use crate::base::ids::{OperatorId, TokenId};
use crate::base::{Digest, Time};
use crate::domain::case::ActorRef;
use crate::domain::command::Actor;
use crate::domain::register::{Holder, Register, Token};
use crate::domain::vocabulary::{Role, Status};

/// What every token begins with, so that scanners find a leaked one.
pub const PREFIX: &str = "cs_";
/// The longest presented token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 256;

/// A token just made: the public half, what its holder presents, and what the register keeps.
#[derive(Clone)]
pub struct Minted {
    /// Public half.
    pub id: TokenId,
    /// The whole token; shown once, never kept.
    pub presented: String,
    /// What is kept.
    pub secret_sha256: Digest,
}

/// The digest kept of a secret, salted with the token's own random id; the secret has 256 bits, so a plain hash suffices.
pub fn secret_digest(id: &TokenId, secret: &str) -> Digest {
    Digest::of(format!("countersign token\0{id}\0{secret}").as_bytes())
}

/// Someone who presented a good token.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who.
    pub actor: Actor,
    /// Roles of the account; none for an automation.
    pub roles: BTreeSet<Role>,
    /// Until when.
    pub expires_at: Time,
    /// The credential's public half.
    pub token: TokenId,
}

impl Service {
    /// Makes a token.
    pub fn mint(&self) -> Result<Minted, ServiceError> {
        let id: TokenId = self.fresh("tok")?;
        let mut bytes = [0; 32];
        self.ports.random.fill(&mut bytes);
        let secret = Digest::from(bytes).to_string();
        Ok(Minted { presented: format!("{PREFIX}{id}_{secret}"), secret_sha256: secret_digest(&id, &secret), id })
    }

    /// Who presents that token; `None` for everything that is not a good token of an enabled holder.
    pub async fn authenticate(&self, presented: &str) -> Result<Option<SignedIn>, ServiceError> {
        let register = self.store.register().await?;
        Ok(check(&register, presented, self.now()))
    }

    /// Whose token that is, if it was issued to an operator, began to count, and was never revoked; whether it has ended by itself is no matter.
    /// It opens nothing: it shows that someone once was who they say they are.
    pub async fn once_held(&self, presented: &str) -> Result<Option<OperatorId>, ServiceError> {
        let register = self.store.register().await?;
        let token = found(&register, presented).filter(|t| t.revoked_at.is_none() && t.issued_at <= self.now());
        Ok(token.and_then(|t| match &t.holder {
            Holder::Operator(id) => Some(id.clone()),
            Holder::Automation(_) => None,
        }))
    }

    /// Whether whoever signed in with that token could still do so: for what lives longer than a request.
    pub async fn still_good(&self, token: &TokenId) -> Result<bool, ServiceError> {
        let register = self.store.register().await?;
        Ok(register.tokens.get(token).is_some_and(|t| is_alive(t, self.now()) && actor_of(&register, t).is_some()))
    }
}

/// The recorded token that was presented with its secret, whatever became of it.
fn found<'a>(register: &'a Register, presented: &str) -> Option<&'a Token> {
    let rest = presented.strip_prefix(PREFIX).filter(|_| presented.len() <= MAX_TOKEN)?;
    let (id, secret) = rest.rsplit_once('_')?;
    let token = register.tokens.get(&TokenId::parse(id).ok()?)?;
    let same: bool = secret_digest(&token.id, secret).as_bytes().ct_eq(token.secret_sha256.as_bytes()).into();
    same.then_some(token)
}

/// Who presents that token by that register; `None` for everything that is not a good token of an enabled holder.
pub fn check(register: &Register, presented: &str, now: Time) -> Option<SignedIn> {
    let token = found(register, presented).filter(|t| is_alive(t, now))?;
    let actor = actor_of(register, token)?;
    let roles = match &token.holder {
        Holder::Operator(id) => register.operators.get(id).map(|o| o.roles.clone()).unwrap_or_default(),
        Holder::Automation(_) => BTreeSet::new(),
    };
    Some(SignedIn { actor, roles, expires_at: token.expires_at, token: token.id.clone() })
}

fn is_alive(token: &Token, now: Time) -> bool {
    token.revoked_at.is_none() && now < token.expires_at && token.issued_at <= now
}

/// The actor behind a token, if the holder may sign in at all.
fn actor_of(register: &Register, token: &Token) -> Option<Actor> {
    match &token.holder {
        Holder::Operator(id) => {
            let operator = register.operators.get(id).filter(|o| o.enabled)?;
            let person = register.persons.get(&operator.person).filter(|p| p.status == Status::Active)?;
            let who = ActorRef::Operator { operator: id.clone(), person: person.id.clone() };
            Some(Actor { who, scopes: BTreeSet::new(), read_only: false })
        }
        Holder::Automation(id) => {
            let automation = register.automations.get(id).filter(|a| a.enabled)?;
            let who = ActorRef::Automation { automation: id.clone(), on_behalf_of: token.on_behalf_of.clone() };
            Some(Actor { who, scopes: automation.scopes.clone(), read_only: false })
        }
    }
}
