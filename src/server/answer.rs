//! What goes over the wire when something can't be done, and extractors that say so in the same words.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::app::App;
use crate::api::{ApiError, CLIENT_HEADER, ErrorBody, ErrorCode};

/// An error on its way to a client.
pub(super) struct Failure {
    status: StatusCode,
    error: ApiError,
}

/// What a route gives.
pub(super) type Answer<T> = Result<Json<T>, Failure>;

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let status = match error.code {
            ErrorCode::Usage => StatusCode::BAD_REQUEST,
            ErrorCode::NotConfigured => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::Conflict | ErrorCode::Interrupted => StatusCode::CONFLICT,
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Refused => StatusCode::FORBIDDEN,
            ErrorCode::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, error }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorBody { error: self.error })).into_response()
    }
}

/// A JSON body.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(e) => Err(ApiError::usage(e.body_text()).into()),
        }
    }
}

/// The query string.
pub(super) struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(e) => Err(ApiError::usage(e.body_text()).into()),
        }
    }
}

/// The one name in a path.
pub(super) struct Name<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Name<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(e) => Err(ApiError::usage(e.body_text()).into()),
        }
    }
}

/// The client that asks, as the hello named it; nobody when it said none.
pub(super) struct Caller(pub Option<Uuid>);

impl FromRequestParts<App> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Some(value) = parts.headers.get(CLIENT_HEADER) else { return Ok(Self(None)) };
        match value.to_str().ok().and_then(|text| text.parse().ok()) {
            Some(id) if app.service.knows(id) => Ok(Self(Some(id))),
            // A server before this one knew it: the client says hello again, with its environment.
            _ => Err(Failure {
                status: StatusCode::MISDIRECTED_REQUEST,
                error: ApiError::unavailable("this server doesn't know the client; it must say hello first"),
            }),
        }
    }
}
