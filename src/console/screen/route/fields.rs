//! The fields of the routing form, and what they amount to.
//!
//! Contract: pure; targets and scopes come from recorded entitlements only. The server checks everything again.

use crate::api::case::CaseDetail;
use crate::api::lists::SubjectRow;
use crate::api::requests::{OpenCase, PreviewRoute, RouteCase};
use crate::api::words::{Action, Channel, Path};
use crate::base::Untrusted;
use crate::base::ids::{CaseId, GroupId, ScopeId};
use crate::client::Write;
use crate::console::screen::case::pages::clean;
use crate::console::widget::form::{Field, Form};

/// A field that is wrong, and why.
pub(super) type Mistake = (&'static str, String);

fn options<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    all.map(|(code, label)| (code.to_owned(), label.to_owned())).collect()
}

fn at(options: &[(String, String)], value: &str) -> usize {
    options.iter().position(|o| o.0 == value).unwrap_or(0)
}

/// The form for a subject: of a new case, or of one that goes another way.
pub(super) fn form(subject: &SubjectRow, case: Option<&CaseDetail>, summary: &str) -> Form {
    let actions = options(Action::ALL.iter().map(|a| (a.code(), a.label())));
    let paths = options(Path::ALL.iter().map(|p| (p.code(), p.label())));
    let targets: Vec<(String, String)> = subject.entitlements.iter().map(|e| (e.target.to_string(), e.target.to_string())).collect();
    let (action, path, target) = case.map_or((0, at(&paths, "assisted"), 0), |c| {
        (at(&actions, c.row.action.code()), at(&paths, c.row.path.code()), at(&targets, c.target.as_str()))
    });
    let mut fields = vec![
        Field::choice("action", "What is to be restored", actions, action).with_help("← → choose"),
        Field::choice("path", "Which way", paths, path),
        Field::choice("target", "Where (recorded entitlements)", targets, target),
        Field::several("scope", "Scope (recorded there; space takes one)", Vec::new()),
    ];
    if let Some(case) = case {
        let picked: Vec<&str> = case.approver_groups.iter().map(GroupId::as_str).collect();
        let field = Field::line("groups", "Approvers from (groups)", &picked.join(" "));
        fields.push(field.with_help("Beside what policy asks; names of groups with blanks between, or nothing."));
    } else {
        let channels = options(Channel::ALL.iter().map(|c| (c.code(), c.label())));
        let mut carried = vec![(String::new(), "not a recorded address".to_owned())];
        carried.extend(subject.endpoints.iter().map(|e| (e.id.to_string(), format!("{} {}", e.kind.label(), e.id))));
        fields.push(Field::choice("channel", "How it came in", channels, 0));
        let endpoint = Field::choice("endpoint", "Came from", carried, 0);
        fields.push(endpoint.with_help("A proof never goes over the address that carried the request."));
        let requester = Field::line("requester", "Asked by", "subject");
        fields.push(requester.with_help("subject, unknown, or the id of a person"));
        fields.push(Field::many("summary", "What they said", summary));
    }
    let mut form = Form::new(fields);
    let scope: Vec<&str> = case.map(|c| c.scope.iter().map(String::as_str).collect()).unwrap_or_default();
    offer_scopes(&mut form, subject, &scope);
    form
}

/// Offers the scopes recorded for the chosen target; those given are taken.
pub(super) fn offer_scopes(form: &mut Form, subject: &SubjectRow, taken: &[&str]) {
    let target = form.value("target").to_owned();
    let recorded = subject.entitlements.iter().find(|e| e.target.as_str() == target);
    let scopes = recorded.map(|e| e.scopes.iter().map(|s| (s.clone(), s.clone(), taken.contains(&s.as_str()))).collect());
    if let Some(field) = form.field_mut("scope") {
        *field = Field { mistake: field.mistake.take(), ..Field::several("scope", &field.label, scopes.unwrap_or_default()) };
    }
}

/// The way the form describes.
fn route(form: &Form) -> Result<RouteCase, Mistake> {
    let target =
        form.value("target").parse().map_err(|_| ("target", "No entitlement is recorded for this subject: nothing can be asked for.".to_owned()))?;
    let scope: Result<Vec<ScopeId>, _> = form.field("scope").map(Field::values).unwrap_or_default().into_iter().map(str::parse).collect();
    let scope = scope.map_err(|e| ("scope", format!("{e}")))?;
    if scope.is_empty() {
        return Err(("scope", "Take at least one with the space bar.".into()));
    }
    let groups: Result<Vec<GroupId>, _> = form.value("groups").split_whitespace().map(str::parse).collect();
    Ok(RouteCase {
        action: form.value("action").parse().map_err(|e| ("action", format!("{e}")))?,
        path: form.value("path").parse().map_err(|e| ("path", format!("{e}")))?,
        target,
        scope,
        approver_groups: groups.map_err(|e| ("groups", format!("{e}")))?,
    })
}

/// What the server is asked before anything is sent.
pub(super) fn preview(form: &Form, subject: &SubjectRow, case: Option<CaseId>) -> Result<PreviewRoute, Mistake> {
    Ok(PreviewRoute { subject: subject.id.clone(), case, route: route(form)? })
}

/// What is asked for, as it is read once more before it is sent.
pub(super) fn asked(write: &Write) -> Option<String> {
    let (action, path, target, scope) = match write {
        Write::Open(body) => (body.action, body.path, &body.target, &body.scope),
        Write::Route(body) => (body.action, body.path, &body.target, &body.scope),
        _ => return None,
    };
    let scope = scope.iter().map(ScopeId::as_str).collect::<Vec<_>>().join(", ");
    Some(format!("Asked for: {} in {target}, scope {}; {}.", action.label(), clean(&scope), path.label()))
}

/// The way of a case that goes another way.
pub(super) fn reroute(form: &Form) -> Result<RouteCase, Mistake> {
    route(form)
}

/// The new case.
pub(super) fn open(form: &Form, subject: &SubjectRow) -> Result<OpenCase, Mistake> {
    let RouteCase { action, path, target, scope, .. } = route(form)?;
    let requester = form.value("requester").trim().to_owned();
    if requester.is_empty() {
        return Err(("requester", "Who asked? subject, unknown, or a person's id.".into()));
    }
    let endpoint = form.value("endpoint");
    let endpoint = if endpoint.is_empty() { None } else { Some(endpoint.parse().map_err(|e| ("endpoint", format!("{e}")))?) };
    let summary = form.value("summary").trim();
    Ok(OpenCase {
        subject: subject.id.clone(),
        action,
        path,
        target,
        scope,
        channel: form.value("channel").parse().map_err(|e| ("channel", format!("{e}")))?,
        requester,
        endpoint,
        summary: (!summary.is_empty()).then(|| Untrusted::from(summary)),
    })
}
