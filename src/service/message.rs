//! Who can be told, and what became of what they were told (invariants 7 and 13).
//!
//! Contract: a question that could not be sent is refused before it is asked; what became of a message is an entry in its case, written with the
//! end of its outbox item. Knows no mail.

use super::load::Loaded;
use super::workers::recipients::is_subjects_own;
use super::{Ask, Service, ServiceError};
use crate::base::ids::CaseId;
use crate::domain::case::Worker;
use crate::domain::command::Command;
use crate::domain::effect::Notice;
use crate::domain::event::CaseEvent;
use crate::domain::message::{Message, Sent};
use crate::domain::refusal::Refusal;
use crate::domain::vocabulary::FlagKind;

impl Service {
    /// Why nobody could answer what this command would ask someone: no address of theirs is recorded, or it is the subject's.
    pub(super) async fn unanswerable(&self, loaded: &Loaded, command: &Command) -> Result<Option<Refusal>, ServiceError> {
        let Command::StartProof { attester: Some(person), .. } = command else { return Ok(None) };
        let people = self.store.people(std::slice::from_ref(person)).await?;
        let why = match people.get(person).and_then(|p| p.email.as_ref()) {
            None => "No mail address is recorded for whom you would ask: nothing could be sent. Ask someone else, or have it imported.",
            Some(address) if loaded.world.subject.as_ref().is_some_and(|s| is_subjects_own(s, address.raw())) => {
                "The mail address recorded for whom you would ask is the subject's own: nothing is sent there. Ask someone else."
            }
            Some(_) => return Ok(None),
        };
        Ok(Some(Refusal::EndpointUnusable(why.to_owned())))
    }

    /// Writes down what became of a message, and ends its item of the outbox with it. A recovery of which its subject could be told at none of
    /// its addresses is flagged, as one is that has none: policy asks for more then.
    pub(super) async fn record_message(&self, item: i64, case: CaseId, sent: Sent) -> Result<(), ServiceError> {
        let silent = sent.told == 0 && matches!(sent.message, Message::Notice { notice: Notice::Started });
        if silent {
            // Before the item ends: if this is not written, the message is looked at again.
            let flag = Command::Flag { kind: FlagKind::Unreachable };
            match Box::pin(self.execute(&Ask::system(Worker::Notices), case, &flag)).await {
                Ok(_) | Err(ServiceError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.note_on_case(&Ask::system(Worker::Notices).finishing(item), case, &CaseEvent::MessageSent { sent }).await
    }
}
