//! The words of the product as closed enumerations.
//! Contract: every word has one stable code (API, log, policy, filters), one label (screens) and a list of all. Knows no rules.

pub use super::words::UnknownWord;
use super::words::words;

words! {
    /// Why a grant ends.
    GrantEnd {
        /// Its time ran out.
        Expired = "expired", "its time ran out";
        /// Given back or revoked by hand.
        HandedBack = "handed_back", "ended by hand";
        /// The case was closed.
        Closed = "closed", "the case was closed";
        /// The case was held.
        Held = "held", "the case was held";
    }
    /// Where a grant stands.
    GrantState {
        /// It lives.
        Active = "active", "active";
        /// Its case is frozen: the target is made to end it.
        Suspended = "suspended", "suspended by hold";
        /// The target is made to end it, and has not confirmed that yet.
        Ending = "ending", "being revoked";
        /// The target confirmed that it is gone.
        Ended = "ended", "ended";
    }
    /// What is to be restored (product.md, "Words").
    Action {
        /// A new password, the old one void.
        PasswordReset = "password_reset", "password reset";
        /// A locked account opened again.
        AccountUnlock = "account_unlock", "account unlock";
        /// A suspended (never a retired) account made active.
        AccountReactivation = "account_reactivation", "account reactivation";
        /// A new second factor, the old one void.
        MfaReenrolment = "mfa_reenrolment", "mfa re-enrolment";
        /// New saved recovery codes.
        RecoveryCodeReissue = "recovery_code_reissue", "recovery code reissue";
        /// A new token.
        TokenReissue = "token_reissue", "token reissue";
        /// A new API key.
        ApiKeyReissue = "api_key_reissue", "api key reissue";
        /// A new secret, and rotation of what depends on it.
        SecretRotation = "secret_rotation", "secret rotation";
        /// A secret made void.
        SecretRevocation = "secret_revocation", "secret revocation";
        /// A workload identity bound to its workload again.
        WorkloadRebind = "workload_rebind", "workload rebind";
        /// A new certificate.
        CertificateReplacement = "certificate_replacement", "certificate replacement";
        /// Access to a control plane.
        ControlPlaneAccess = "control_plane_access", "control-plane access";
        /// Just-in-time access.
        JitAccess = "jit_access", "just-in-time access";
        /// Break-glass access.
        EmergencyAccess = "emergency_access", "emergency access";
    }
    /// The way a case takes.
    Path {
        /// No agent completes the action by hand.
        SelfService = "self_service", "self-service";
        /// Routed by an agent or an automation.
        Assisted = "assisted", "assisted";
        /// Pre-authorised.
        Runbook = "runbook", "runbook";
        /// Emergency.
        BreakGlass = "break_glass", "break-glass";
    }
    /// How the request came in.
    Channel {
        /// Telephone.
        Phone = "phone", "phone";
        /// Chat.
        Chat = "chat", "chat";
        /// E-mail.
        Email = "email", "e-mail";
        /// Ticket.
        Ticket = "ticket", "ticket";
        /// Portal.
        Portal = "portal", "portal";
        /// A program.
        Api = "api", "API";
    }
    /// What kind of identity a subject is.
    SubjectKind {
        /// A person employed here.
        Employee = "employee", "employee";
        /// A person employed elsewhere who works here.
        Contractor = "contractor", "contractor";
        /// A person with executive standing: same or stricter treatment.
        Executive = "executive", "executive";
        /// A person with privileged administration rights.
        PrivilegedAdmin = "privileged_admin", "privileged admin";
        /// A person of a third party.
        ThirdParty = "third_party", "third party";
        /// A service account.
        ServiceAccount = "service_account", "service account";
        /// An API key.
        ApiKey = "api_key", "API key";
        /// A workload identity.
        WorkloadIdentity = "workload_identity", "workload identity";
        /// A certificate.
        Certificate = "certificate", "certificate";
        /// An AI agent.
        AiAgent = "ai_agent", "AI agent";
    }
    /// How much harm a wrong recovery could do.
    Tier {
        /// Ordinary access.
        Standard = "standard", "standard";
        /// Access to sensitive data or shared systems.
        Elevated = "elevated", "elevated";
        /// Administration, production secrets, control planes.
        Privileged = "privileged", "privileged";
    }
    /// Identity assurance level (SP 800-63A-4).
    Ial {
        /// No identity proofing.
        None = "none", "no proofing";
        /// IAL1.
        Ial1 = "ial1", "IAL1";
        /// IAL2.
        Ial2 = "ial2", "IAL2";
        /// IAL3.
        Ial3 = "ial3", "IAL3";
    }
    /// Authentication assurance level (SP 800-63B-4 §2).
    Aal {
        /// AAL1.
        Aal1 = "aal1", "AAL1";
        /// AAL2.
        Aal2 = "aal2", "AAL2";
        /// AAL3.
        Aal3 = "aal3", "AAL3";
    }
    /// Whether a subject or person is in use.
    Status {
        /// In use.
        Active = "active", "active";
        /// Locked out.
        Locked = "locked", "locked";
        /// Suspended; can be made active again.
        Suspended = "suspended", "suspended";
        /// Retired; never brought back (invariant 10).
        Retired = "retired", "retired";
    }
    /// Where the record of a subject comes from; `none` means poorly inventoried and needs more proof, not less.
    InventorySource {
        /// Personnel system.
        Hr = "hr", "HR system";
        /// Directory.
        Directory = "directory", "directory";
        /// Asset database.
        Cmdb = "cmdb", "asset database";
        /// Secrets manager.
        SecretsManager = "secrets_manager", "secrets manager";
        /// Cloud provider's inventory.
        Cloud = "cloud", "cloud inventory";
        /// Typed in by someone.
        Manual = "manual", "entered by hand";
        /// No record.
        None = "none", "no record";
    }
    /// Where a subject runs.
    Environment {
        /// Production.
        Production = "production", "production";
        /// Staging.
        Staging = "staging", "staging";
        /// Development.
        Development = "development", "development";
        /// Corporate systems.
        Corporate = "corporate", "corporate";
    }
    /// What kind of address an endpoint is.
    EndpointKind {
        /// E-mail.
        Email = "email", "e-mail";
        /// Telephone.
        Phone = "phone", "phone";
        /// Post.
        Postal = "postal", "post";
    }
    /// What an operator may do; a role alone never decides a case.
    Role {
        /// Works the queue and routes.
        SupportAgent = "support_agent", "support agent";
        /// Approves or denies.
        Supervisor = "supervisor", "supervisor";
        /// Inspects, holds, reviews.
        SecurityReviewer = "security_reviewer", "security reviewer";
        /// Proposes policy and register changes.
        PolicyOwner = "policy_owner", "policy owner";
    }
    /// How something is proved, or a gate beside proof.
    Method {
        /// A saved recovery code (§4.2.1.1).
        SavedCode = "saved_code", "saved recovery code";
        /// A code issued to a recorded e-mail address (§4.2.1.2).
        IssuedCode = "issued_code", "issued code";
        /// A recovery contact (§4.2.1.3).
        RecoveryContact = "recovery_contact", "recovery contact";
        /// A passkey.
        Passkey = "passkey", "passkey";
        /// A time-based one-time password.
        Totp = "totp", "one-time password";
        /// Repeated identity proofing (§4.2.1.4).
        RepeatedProofing = "repeated_proofing", "repeated proofing";
        /// Possession of the old key.
        OldKeyPossession = "old_key_possession", "old key possession";
        /// The workload attests itself.
        WorkloadAttestation = "workload_attestation", "workload attestation";
        /// A quorum of the recorded owners.
        OwnerQuorum = "owner_quorum", "owner quorum";
        /// Gate: the recorded manager or owner attests.
        ManagerAttestation = "manager_attestation", "manager attestation";
        /// Gate: the directory says so.
        DirectoryFact = "directory_fact", "directory fact";
        /// Gate: a managed device.
        ManagedDevice = "managed_device", "managed device";
        /// Gate: a ticket was approved.
        TicketApproval = "ticket_approval", "ticket approval";
        /// Gate: in person before staff.
        InPerson = "in_person", "in person";
    }
    /// What a receipt rests on.
    TrustRootKind {
        /// A mailbox.
        Mailbox = "mailbox", "mailbox";
        /// A telephone number.
        Number = "number", "number";
        /// A device.
        Device = "device", "device";
        /// A saved set of codes.
        CodeSet = "code_set", "saved code set";
        /// A human contact.
        Contact = "contact", "contact";
        /// A document.
        Document = "document", "document";
        /// A key bound before.
        Key = "key", "key";
    }
    /// Where a case stands; `held` lies over any of these (product.md, "Life of a case").
    CaseState {
        /// Opened, being triaged.
        New = "new", "new";
        /// Proofs are gathered.
        Proofing = "proofing", "proofing";
        /// Approval is requested.
        Sealed = "sealed", "awaiting approval";
        /// Approved; waiting for delay or grace.
        Approved = "approved", "approved";
        /// The server is carrying the plan out.
        Executing = "executing", "executing";
        /// What came back was compared with what was approved.
        Restored = "restored", "restored";
        /// Reviewed and closed.
        Closed = "closed", "closed";
        /// Ended by an eligible denial.
        Denied = "denied", "denied";
        /// Withdrawn.
        Withdrawn = "withdrawn", "withdrawn";
        /// Its time ran out.
        Expired = "expired", "expired";
        /// A local configuration fault or outage: nothing to recover.
        NoChangeNeeded = "no_change_needed", "no change needed";
        /// Execution or verification failed.
        Failed = "failed", "failed";
        /// What was done was undone.
        RolledBack = "rolled_back", "rolled back";
    }
    /// How much attention a case asks for.
    Risk {
        /// Low.
        Low = "low", "low";
        /// Medium.
        Medium = "medium", "med";
        /// High.
        High = "high", "high";
    }
    /// What triage found to be wrong.
    FailureType {
        /// A credential was lost or forgotten.
        LostCredential = "lost_credential", "lost credential";
        /// Locked after failed tries.
        LockedOut = "locked_out", "locked out";
        /// Expired.
        Expired = "expired", "expired";
        /// Rotation failed.
        FailedRotation = "failed_rotation", "failed rotation";
        /// Revoked.
        Revoked = "revoked", "revoked";
        /// Believed compromised.
        SuspectedCompromise = "suspected_compromise", "suspected compromise";
        /// The binding to a workload is lost.
        LostBinding = "lost_binding", "lost binding";
        /// A local configuration fault: nothing to recover.
        LocalConfiguration = "local_configuration", "local configuration fault";
        /// An outage: nothing to recover.
        Outage = "outage", "outage";
        /// Another authenticator still works: a binding, not a recovery (§4.2).
        AuthenticatorRemains = "authenticator_remains", "another authenticator still works";
    }
    /// Why someone is in a lineage.
    Duty {
        /// Their own access is to be restored.
        Subject = "subject", "is the subject";
        /// Asked for it.
        Requester = "requester", "requested it";
        /// Opened or routed it.
        Router = "router", "routed it";
        /// Gave a proof or attested.
        Prover = "prover", "gave proof in it";
        /// Wrote evidence.
        EvidenceEditor = "evidence_editor", "edited its evidence";
        /// Sealed it.
        Sealer = "sealer", "sealed it";
        /// Owns an automation that had a hand in it.
        AutomationOwner = "automation_owner", "owns the automation that routed it";
        /// Sponsors an automation that had a hand in it.
        AutomationSponsor = "automation_sponsor", "sponsors the automation that routed it";
        /// Software acted for them.
        ActedFor = "acted_for", "software acted for them";
        /// Owns the non-human subject.
        SubjectOwner = "subject_owner", "owns the subject";
        /// Delegated to someone in the lineage, or someone in the lineage delegated to them.
        Delegation = "delegation", "is tied by delegation to someone with a hand in it";
        /// Wrote or approved the rule that started it.
        RuleAuthor = "rule_author", "wrote or approved the rule it runs under";
        /// Picked and started a proof.
        ProofStarter = "proof_starter", "started a proof in it";
    }
    /// What kind of thing a piece of evidence is.
    EvidenceKind {
        /// A note.
        Note = "note", "note";
        /// Log lines.
        Log = "log", "log excerpt";
        /// What changed lately.
        RecentChange = "recent_change", "recent change";
        /// How the failure was reproduced.
        Reproduction = "reproduction", "reproduction";
        /// A fact a program sent.
        Telemetry = "telemetry", "telemetry";
        /// A file, kept by digest.
        File = "file", "file";
    }
    /// A noticed anomaly.
    FlagKind {
        /// The same subject again within the window.
        RepeatRequest = "repeat_request", "repeat request";
        /// Someone pressed for haste.
        Pressure = "pressure", "pressure";
        /// Outside the subject's or router's shift.
        OffHours = "off_hours", "off hours";
        /// Router and approver meet too often.
        OddPair = "odd_pair", "odd pair";
        /// No known owner.
        NoOwner = "no_owner", "no known owner";
        /// No inventory record.
        NoInventory = "no_inventory", "no inventory record";
        /// A secret leaked or was misused.
        SuspectedCompromise = "suspected_compromise", "suspected compromise";
        /// No one could decide it.
        Deadlock = "deadlock", "no one could decide";
        /// A recorded address changed lately.
        FreshAddress = "fresh_address", "address too new";
        /// Names that look alike.
        LookAlike = "look_alike", "look-alike name";
        /// Nobody can be told of it.
        Unreachable = "unreachable", "subject can't be told";
    }
    /// A decision of an approver.
    Decision {
        /// Let it be done.
        Approve = "approve", "approve";
        /// End the case.
        Deny = "deny", "deny";
    }
    /// Who or what froze a case.
    HoldSource {
        /// A security reviewer.
        Security = "security", "security";
        /// The subject said "this wasn't me".
        NotMe = "not_me", "\u{201c}this wasn't me\u{201d}";
        /// A rule of policy.
        Policy = "policy", "policy";
        /// A backup was restored, and more had happened in the case than the backup knows.
        Restore = "restore", "a restored backup";
    }
    /// Why an execution ended `failed`.
    FailureReason {
        /// The target could not be reached within the retry limit.
        Unreachable = "unreachable", "target could not be reached";
        /// The target did not say what it held, without which nothing is ordered.
        NotOrdered = "not_ordered", "nothing was ordered: the target is not configured, or did not say what it held before";
        /// The target refused.
        Refused = "refused", "target refused";
        /// The target answered but nothing changed.
        NothingChanged = "nothing_changed", "target answered but changed nothing";
        /// What came back exceeds what was approved or recorded.
        TooMuch = "too_much", "target granted more than was approved";
        /// What came back is less than or other than what was approved.
        Mismatch = "mismatch", "target holds something else than approved";
        /// The new credential was not a newer one: the old one was to be revoked.
        OldKept = "old_kept", "target did not replace the old credential";
        /// A dependent's credential is still the one from before.
        NotRotated = "not_rotated", "target did not rotate every dependent";
        /// It was to be undone, and the target refused, or went on showing it.
        NotUndone = "not_undone", "target did not undo it";
        /// It was to be undone, and the target never said whether it was.
        UndoUnknown = "undo_unknown", "target did not say whether it undid it";
        /// A check at the time of execution no longer held.
        NoLongerAllowed = "no_longer_allowed", "no longer allowed when it was to be executed";
    }
    /// Why a link in the plan's chain or a request was noticed at all; where a case waits.
    WaitingOn {
        /// Someone should take it.
        Agent = "agent", "an agent";
        /// The subject should act.
        Subject = "subject", "subject";
        /// A manager or owner should attest.
        Attester = "attester", "attestation";
        /// Approvers.
        Approval = "approval", "approval";
        /// Delay or grace is running.
        Delay = "delay", "delay";
        /// The server is executing.
        Execution = "execution", "execution";
        /// Security.
        Security = "security", "security";
        /// A review.
        Review = "review", "review";
        /// Nobody: it ended.
        Nobody = "nobody", "nobody";
    }
}

impl Path {
    /// Whether no agent completes a case on this path by hand.
    pub const fn runs_itself(self) -> bool {
        matches!(self, Self::SelfService | Self::Runbook)
    }
}

impl Action {
    /// What a person may ask for itself, without the staff: what everyone loses, not what somebody else judges the need of or a program's.
    pub const BY_ONESELF: [Self; 4] = [Self::PasswordReset, Self::AccountUnlock, Self::MfaReenrolment, Self::RecoveryCodeReissue];
}

impl Method {
    /// Whether the method is a gate beside proof: it must pass, and fills no set of proofs (SP 800-63B-4 §4.2.1).
    pub const fn is_gate(self) -> bool {
        matches!(self, Self::ManagerAttestation | Self::DirectoryFact | Self::ManagedDevice | Self::TicketApproval | Self::InPerson)
    }

    /// Whether the method is one of the "codes" of SP 800-63B-4 §4.2.1.1 to 4.2.1.3.
    pub const fn is_recovery_code(self) -> bool {
        matches!(self, Self::SavedCode | Self::IssuedCode | Self::RecoveryContact)
    }
}

impl CaseState {
    /// Whether nothing more can happen to the case but review, hold and revocation.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Closed | Self::Denied | Self::Withdrawn | Self::Expired | Self::NoChangeNeeded | Self::RolledBack)
    }
}

impl SubjectKind {
    /// Whether the subject is no human.
    pub const fn is_non_human(self) -> bool {
        matches!(self, Self::ServiceAccount | Self::ApiKey | Self::WorkloadIdentity | Self::Certificate | Self::AiAgent)
    }
}
