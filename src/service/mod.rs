//! Use cases: load the world that a command needs, decide, commit, look again.
//!
//! Contract: the only way from the outside world to a change. Every change is `domain::decide` on a world whose versions the commit
//! carries; a refusal of someone authenticated is an entry as well (invariant 8). Knows no HTTP and no wire types.
//!
//! Reading order: [`Ask`] and [`Service::execute`], [`load`], [`open`], [`register`].

pub mod assignable;
pub mod codes;
pub mod error;
pub mod execute;
pub mod import;
pub mod keys;
pub mod load;
pub mod look;
mod message;
mod noticed;
pub mod open;
pub mod reads;
pub mod refused;
pub mod register;
pub mod requester;
pub mod row;
pub mod statement;
pub mod tokens;
pub mod told;
pub mod workers;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

pub use error::ServiceError;
pub use execute::Done;
pub use keys::Keys;

use crate::base::ids::{CaseId, RequestId, TargetId, TextId};
use crate::base::ports::Ports;
use crate::base::{Digest, Time, Untrusted};
use crate::domain::case::{ActorRef, TextRef, Worker};
use crate::domain::command::{Actor, Context};
use crate::domain::grant::Generations;
use crate::domain::policy::{Policy, Recent};
use crate::store::{CodeChange, NewText, Store};

/// How often a use case is decided anew after something it had read moved (invariant 18), before it gives up.
pub const MAX_TRIES: u32 = 8;
/// Parsed policies kept at once, those asked for last; a site has a handful.
const MAX_POLICIES: usize = 64;

/// The use cases over one store.
pub struct Service {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Clock and randomness.
    pub ports: Ports,
    /// The server's own key.
    pub keys: Keys,
    policies: Arc<Mutex<Recent>>,
    refusals: refused::Budget,
    reads: reads::Budget,
    strangers: AtomicU64,
    /// What is to be looked at again.
    again: register::Again,
    /// Targets that orders can be sent to.
    targets: OnceLock<BTreeSet<TargetId>>,
}

/// Who asks, and what goes with the command into the same transaction.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Who, as authentication established it.
    pub actor: Actor,
    /// In which request.
    pub request: Option<RequestId>,
    /// The version of the case that the asker has seen; refused with [`ServiceError::Stale`] if it is at another.
    pub expected: Option<u64>,
    /// The answer to keep under the asker's idempotency key.
    pub once: Option<Once>,
    /// The outbox item that this finishes.
    pub finishes: Option<i64>,
    /// Texts to keep beside the log; made by [`Service::text`].
    pub texts: Vec<NewText>,
    /// Saved codes used or replaced with it.
    pub codes: Vec<CodeChange>,
    /// What the target says before an execution of those whose credential it renews.
    pub held: Option<Generations>,
    /// Whether a refusal of it is accounted for; all copies are one request and know the same.
    accounted: Arc<AtomicBool>,
}

/// A request that must take effect once however often it is sent.
#[derive(Debug, Clone)]
pub struct Once {
    /// Whose key, e.g. `operator:nadia`.
    pub principal: String,
    /// The key.
    pub key: String,
    /// Digest of the request.
    pub request_sha256: Digest,
    /// The status it is answered with. What is kept is status, case and version: texts and secrets of an answer are not kept twice.
    pub status: u16,
}

impl Ask {
    /// Someone asks, with nothing beside.
    pub fn by(actor: Actor) -> Self {
        Self {
            actor,
            request: None,
            expected: None,
            once: None,
            finishes: None,
            texts: Vec::new(),
            codes: Vec::new(),
            held: None,
            accounted: Arc::default(),
        }
    }

    /// One of the server's own workers asks.
    pub fn system(worker: Worker) -> Self {
        Self::by(Actor { who: ActorRef::System { worker }, scopes: BTreeSet::new(), read_only: false })
    }

    /// This finishes an item of the outbox, in the same transaction.
    #[must_use]
    pub fn finishing(mut self, item: i64) -> Self {
        self.finishes = Some(item);
        self
    }

    /// In that request.
    #[must_use]
    pub fn in_request(mut self, request: Option<RequestId>) -> Self {
        self.request = request;
        self
    }

    /// With what the target was found to say before.
    #[must_use]
    pub fn holding(mut self, held: Generations) -> Self {
        self.held = Some(held);
        self
    }

    /// With a text beside.
    #[must_use]
    pub fn with_text(mut self, text: NewText) -> Self {
        self.texts.push(text);
        self
    }

    /// With a saved code used or a set replaced.
    #[must_use]
    pub fn with_code(mut self, code: CodeChange) -> Self {
        self.codes.push(code);
        self
    }

    /// Whether what this, or a copy of it, was refused is in the log or counted already.
    pub fn is_accounted(&self) -> bool {
        self.accounted.load(Ordering::Relaxed)
    }

    pub(crate) fn context(&self, now: Time) -> Context {
        Context { now, actor: self.actor.clone(), request: self.request.clone() }
    }
}

impl Service {
    /// The use cases over a store.
    pub fn new(store: Arc<dyn Store>, ports: Ports, keys: Keys) -> Self {
        Self {
            store,
            ports,
            keys,
            policies: Arc::new(Mutex::new(Recent::new(MAX_POLICIES))),
            refusals: refused::Budget::default(),
            reads: reads::Budget::default(),
            strangers: AtomicU64::new(0),
            again: register::Again::default(),
            targets: OnceLock::new(),
        }
    }

    /// Says once which targets orders can be sent to, so that whoever looks at a case for another one is told; until then nothing is said.
    pub fn sends_to(&self, targets: impl IntoIterator<Item = TargetId>) {
        // Said a second time, by a second server over the same use cases, the first word stays.
        let _ = self.targets.set(targets.into_iter().collect());
    }

    /// Whether it is known that no order can be sent to this target.
    pub(crate) fn lacks_target(&self, target: &TargetId) -> bool {
        self.targets.get().is_some_and(|known| !known.contains(target))
    }

    /// Now, on the server's clock.
    pub fn now(&self) -> Time {
        self.ports.clock.now()
    }

    /// A text to keep beside the log, and the reference to it that a command carries: `SHA-256(salt || text)`.
    pub fn text(&self, case: CaseId, text: &Untrusted) -> Result<(TextRef, NewText), ServiceError> {
        let id = TextId::parse(&self.ports.random.id("txt")).map_err(|e| ServiceError::Policy(e.to_string()))?;
        let mut salt = [0; 16];
        self.ports.random.fill(&mut salt);
        let mut bytes = salt.to_vec();
        bytes.extend(text.raw().as_bytes());
        Ok((TextRef { id: id.clone(), sha256: Digest::of(&bytes) }, NewText { case, id, salt, text: text.clone() }))
    }

    /// A fresh opaque id of some kind behind a prefix, e.g. `rcp-4f...`.
    pub fn fresh<T: std::str::FromStr<Err = crate::base::ids::IdError>>(&self, prefix: &str) -> Result<T, ServiceError> {
        self.ports.random.id(prefix).parse().map_err(|e: crate::base::ids::IdError| ServiceError::Policy(e.to_string()))
    }

    /// A parsed policy, from memory if it was needed before.
    pub async fn policy(&self, sha256: &Digest) -> Result<Arc<Policy>, ServiceError> {
        if let Some(policy) = self.policies.lock().ok().and_then(|mut known| known.get(sha256)) {
            return Ok(policy);
        }
        let text = self.store.policy(sha256).await?.ok_or_else(|| ServiceError::Policy(format!("no policy with digest {sha256}")))?;
        let policy = Arc::new(Policy::parse(&text).map_err(|mistakes| {
            let all: Vec<String> = mistakes.into_iter().map(|m| m.message).collect();
            ServiceError::Policy(format!("policy {sha256}: {}", all.join("; ")))
        })?);
        if let Ok(mut known) = self.policies.lock() {
            known.put(policy.clone());
        }
        Ok(policy)
    }
}
