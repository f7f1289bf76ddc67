//! Completes the OpenAPI document with what all operations share: the token, the write headers, and every way to fail.

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi, Ref, RefOr, Required, ResponseBuilder};

/// Statuses that any operation can answer with, each as a problem.
const FAILURES: &[u16] = &[400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415, 422, 428, 429, 500, 503];

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
                header(operation, "If-Match", "The ETag of the case you have seen.", "^\"[0-9]{1,18}\"$");
                let done = ResponseBuilder::new().description("Done, on a case that the software asking may not read").build();
                operation.responses.responses.insert("204".to_owned(), RefOr::T(done));
            }
        }
    }
    api
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
