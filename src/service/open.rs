//! Opens a case.
//!
//! Contract: the number is the server's; what was said lies beside the log. Knows nothing about who may open one.

use super::{Ask, Done, MAX_TRIES, Service, ServiceError};
use crate::base::Untrusted;
use crate::base::ids::EndpointId;
use crate::domain::case::{Requester, Route};
use crate::domain::command::{Command, Open};
use crate::domain::vocabulary::Channel;

/// What opening a case takes, before it has a number.
#[derive(Debug, Clone)]
pub struct NewCase {
    /// What is asked for.
    pub route: Route,
    /// Who asks.
    pub requester: Requester,
    /// How it came in.
    pub channel: Channel,
    /// The recorded endpoint that carried the request, if it was one.
    pub endpoint: Option<EndpointId>,
    /// What they said.
    pub summary: Option<Untrusted>,
}

impl Service {
    /// Opens a case under a number of its own.
    pub async fn open(&self, ask: &Ask, new: &NewCase) -> Result<Done, ServiceError> {
        let id = self.store.next_case(self.now()).await?;
        let mut ask = ask.clone();
        let mut summary = None;
        if let Some(text) = new.summary.as_ref().filter(|t| !t.is_blank()) {
            let (reference, kept) = self.text(id, text)?;
            summary = Some(reference);
            ask.texts.push(kept);
        }
        let open = Open {
            id,
            route: new.route.clone(),
            requester: new.requester.clone(),
            channel: new.channel,
            endpoint: new.endpoint.clone(),
            session: None,
            summary,
        };
        let command = Command::Open(open);
        for _ in 0..MAX_TRIES {
            let loaded = self.load_new(id, &new.route).await?;
            match self.attempt(&ask, id, &loaded, &command).await {
                Err(ServiceError::Conflict) => {}
                other => return other,
            }
        }
        Err(ServiceError::Conflict)
    }
}
