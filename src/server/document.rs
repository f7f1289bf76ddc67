//! Completes the OpenAPI document with what all operations share: the token, the write headers, and every way to fail.

use axum::http::Method;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi, Ref, RefOr, Required, ResponseBuilder};

/// Statuses that any operation can answer with, each as a problem.
const FAILURES: &[u16] = &[400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415, 422, 428, 429, 500, 503];

/// How an ETag of a case looks.
const TAG: &str = "^\"[0-9]{1,18}\"$";

/// The document with what all operations share.
pub fn complete(mut api: OpenApi) -> OpenApi {
    let components = api.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.security_schemes.insert("token".to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    let problem = <crate::api::problem::Problem as utoipa::PartialSchema>::schema();
    components.schemas.insert("Problem".to_owned(), problem);
    let mut more = Vec::new();
    <crate::api::problem::Problem as utoipa::ToSchema>::schemas(&mut more);
    components.schemas.extend(more);
    for (path, item) in &mut api.paths.paths {
        let on_case = path.starts_with("/v1/cases/{id}/");
        if let Some(operation) = item.get.as_mut() {
            share(operation);
            if path == "/v1/cases/{id}" {
                tagged(operation);
            }
        }
        if let Some(operation) = item.post.as_mut() {
            share(operation);
            // Without a body the whole queue is meant.
            if path == "/v1/queue/take-next"
                && let Some(RefOr::T(body)) = operation.request_body.as_mut()
            {
                body.required = Some(Required::False);
            }
            if path != "/v1/cases/route-preview" {
                header(
                    operation,
                    "Idempotency-Key",
                    "A text of your choice, new for each write; repeat it to repeat the request safely.",
                    "^[!-~]{1,128}$",
                );
            }
            if on_case {
                header(operation, "If-Match", "The ETag of the case you have seen.", TAG);
            }
            if on_case && super::routes::operation(&Method::POST, path).is_some_and(|o| !o.row().scopes.is_empty()) {
                let done = ResponseBuilder::new().description("Done, on a case that the software asking may not read").build();
                operation.responses.responses.insert("204".to_owned(), RefOr::T(done));
            }
            if on_case || path == "/v1/cases" || path == "/v1/queue/take-next" {
                tagged(operation);
            }
        }
    }
    api
}

/// The answer's headers, without which nobody could send `If-Match`.
fn tagged(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let header = |description: &str, pattern: &str| {
            let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build();
            RefOr::T(HeaderBuilder::new().schema(Some(text)).description(Some(description)).build())
        };
        if ["200", "201", "204"].contains(&status.as_str()) {
            let what = if status == "204" { "The case's version, unless the request was answered before." } else { "The case's version." };
            response.headers.insert("ETag".to_owned(), header(&format!("{what} Send it back as If-Match."), TAG));
        }
        if status == "201" {
            response.headers.insert("Location".to_owned(), header("Where the case is.", "^/v1/cases/"));
        }
    }
}

fn share(operation: &mut Operation) {
    operation.security = Some(vec![SecurityRequirement::new::<_, _, String>("token", [])]);
    for status in FAILURES {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new().description("Refused, as problem details").content("application/problem+json", content).build();
        operation.responses.responses.insert(status.to_string(), RefOr::T(response));
    }
}

fn header(operation: &mut Operation, name: &str, description: &str, pattern: &str) {
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build();
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).required(Required::True);
    let parameter = parameter.description(Some(description)).schema(Some(text)).build();
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
}
