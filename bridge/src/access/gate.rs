//! The layer that every gRPC call goes through: who calls, and whether the route is theirs.
//!
//! What a handler needs to know of the caller is in the request's extensions. A call that goes on is asked again
//! every minute, so that a follower outlives its token by no more. Invariant: no handler runs for a call that has no
//! rule, or of a caller that its rule refuses.

use super::routes::{self, Rule};
use super::{Access, Pass};
use flinkspark_model::access::Caller;
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::error::to_status;
use futures::future::BoxFuture;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tower_layer::Layer;

/// How often a call that goes on is asked for its token again.
const AGAIN_EVERY: Duration = Duration::from_secs(60);

/// Puts the door before every service.
#[derive(Clone)]
pub(crate) struct Gate {
    access: Arc<Access>,
    again_every: Duration,
}

impl Gate {
    /// Before services of this door.
    pub(crate) fn new(access: Arc<Access>) -> Self {
        Self {
            access,
            again_every: AGAIN_EVERY,
        }
    }

    /// Lets a request in, or says why not. What it presented goes no further, but to the handshake.
    fn enter(&self, request: &mut http::Request<Body>) -> Result<Option<Pass>> {
        let rule = routes::rule(request.uri().path());
        if rule == Some(Rule::Public) {
            return Ok(None);
        }
        let header = request.headers().get(http::header::AUTHORIZATION);
        let entered = self.access.enter(header.map(|value| value.as_bytes()))?;
        match rule {
            Some(Rule::Admin) => entered.caller.administers()?,
            None if !entered.caller.is_open() => return Err(unruled(&entered.caller)),
            _ => {}
        }
        if !request.uri().path().ends_with("/Handshake") {
            request.headers_mut().remove(http::header::AUTHORIZATION);
        }
        request.extensions_mut().insert(entered.caller);
        Ok(Some(entered.pass))
    }
}

fn unruled(caller: &Caller) -> Error {
    Error::new(
        Kind::Forbidden,
        "FS1103",
        format!("{} may not make this call", caller.principal()),
    )
    .with_detail("this bridge has no rule for it, so it is nobody's")
    .with_hint("check the name of the service and the method")
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, service: S) -> Gated<S> {
        Gated {
            gate: self.clone(),
            service,
        }
    }
}

/// A service behind the door.
#[derive(Clone)]
pub(crate) struct Gated<S> {
    gate: Gate,
    service: S,
}

impl<S> Service<http::Request<Body>> for Gated<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, std::result::Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let pass = match self.gate.enter(&mut request) {
            Ok(pass) => pass,
            Err(error) => {
                return Box::pin(async move { Ok(to_status(&error).into_http()) });
            }
        };
        let gate = self.gate.clone();
        let answered = self.service.call(request);
        Box::pin(async move {
            let response = answered.await?;
            Ok(match pass {
                Some(pass) => response.map(|body| Body::new(Watched::new(body, gate, pass))),
                None => response,
            })
        })
    }
}

/// An answer that goes on as long as its caller would be let in.
struct Watched {
    body: Body,
    gate: Gate,
    pass: Pass,
    again: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl Watched {
    fn new(body: Body, gate: Gate, pass: Pass) -> Self {
        Self {
            body,
            gate,
            pass,
            again: None,
            ended: false,
        }
    }

    /// Why the answer ends here, if its time has come.
    fn refused(&mut self, context: &mut Context<'_>) -> Option<Error> {
        let every = self.gate.again_every;
        let again = self
            .again
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(every)));
        while again.as_mut().poll(context).is_ready() {
            if let Err(error) = self.gate.access.again(&self.pass) {
                return Some(error);
            }
            again.as_mut().reset(tokio::time::Instant::now() + every);
        }
        None
    }
}

impl HttpBody for Watched {
    type Data = bytes::Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Self::Data>, Self::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(error) = self.refused(context) {
            self.ended = true;
            self.body = Body::empty();
            let headers = to_status(&error).into_http::<()>().into_parts().0.headers;
            return Poll::Ready(Some(Ok(Frame::trailers(headers))));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::tests::{Bench, make};
    use futures::FutureExt;
    use std::convert::Infallible;
    use tonic::Code;

    /// A body that never ends by itself.
    struct Endless;

    impl HttpBody for Endless {
        type Data = bytes::Bytes;
        type Error = tonic::Status;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<std::result::Result<Frame<Self::Data>, Self::Error>>> {
            Poll::Pending
        }
    }

    /// Answers with who it was told calls, or endlessly.
    #[derive(Clone)]
    struct Inner;

    impl Service<http::Request<Body>> for Inner {
        type Response = http::Response<Body>;
        type Error = Infallible;
        type Future = BoxFuture<'static, std::result::Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: http::Request<Body>) -> Self::Future {
            let caller = request.extensions().get::<Caller>();
            let name = caller.map_or("nobody", |caller| caller.principal().as_str());
            let kept = request.headers().contains_key("authorization");
            let response = http::Response::builder()
                .header("who", name)
                .header("kept", kept.to_string());
            let response = response.body(Body::new(Endless)).unwrap();
            async move { Ok(response) }.boxed()
        }
    }

    async fn call(gate: &Gate, path: &str, token: Option<&str>) -> http::Response<Body> {
        let mut request = http::Request::builder().uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::empty()).unwrap();
        gate.layer(Inner).call(request).await.unwrap()
    }

    fn status(response: &http::Response<Body>) -> Code {
        let status = response.headers().get("grpc-status");
        status.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
    }

    #[tokio::test]
    async fn a_route_asks_for_what_its_rule_says() {
        let bench = Bench::new();
        let access = Arc::new(bench.open());
        let gate = Gate::new(Arc::clone(&access));
        let list = "/flinkspark.v1.Catalog/List";
        assert_eq!(
            status(&call(&gate, "/unknown.Service/Call", None).await),
            Code::Ok
        );
        let ann = make(&access, "ann", &["*:read,write,create"], None);
        let root = make(&access, "root", &["*:admin"], None);
        for (path, token, expected) in [
            (list, None, Code::Unauthenticated),
            (list, Some(&ann), Code::Ok),
            ("/flinkspark.v1.Tokens/Create", None, Code::Unauthenticated),
            (
                "/flinkspark.v1.Tokens/Create",
                Some(&ann),
                Code::PermissionDenied,
            ),
            ("/flinkspark.v1.Tokens/Create", Some(&root), Code::Ok),
            (
                "/flinkspark.v1.Server/Settings",
                Some(&ann),
                Code::PermissionDenied,
            ),
            ("/grpc.health.v1.Health/Check", None, Code::Ok),
            ("/unknown.Service/Call", Some(&root), Code::PermissionDenied),
            ("/unknown.Service/Call", None, Code::Unauthenticated),
        ] {
            let response = call(&gate, path, token.map(String::as_str)).await;
            assert_eq!(status(&response), expected, "{path} {token:?}");
        }
        let response = call(&gate, list, Some(&ann)).await;
        assert_eq!(
            (&response.headers()["who"], &response.headers()["kept"]),
            (&"ann".parse().unwrap(), &"false".parse().unwrap())
        );
    }

    #[tokio::test]
    async fn a_follower_outlives_its_token_by_one_look_at_most() {
        let bench = Bench::new();
        let access = Arc::new(bench.open());
        let every = Duration::from_millis(200);
        let gate = Gate {
            access: Arc::clone(&access),
            again_every: every,
        };
        let watch = "/flinkspark.v1.Catalog/Watch";
        let ended = |response: http::Response<Body>| async {
            let began = tokio::time::Instant::now();
            let mut body = response.into_body();
            let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            let trailers = frame.unwrap().unwrap().into_trailers().unwrap();
            assert_eq!(trailers["grpc-status"], "16");
            assert!(body.is_end_stream());
            began.elapsed()
        };
        let open = call(&gate, watch, None).await;
        let ann = make(&access, "ann", &["*:read"], None);
        ended(open).await;
        let known = call(&gate, watch, Some(&ann)).await;
        let revoked = Arc::clone(&access);
        let revoke = tokio::spawn(async move {
            tokio::time::sleep(every * 5 / 2).await;
            revoked.revoke("ann").unwrap();
        });
        let lived = ended(known).await;
        revoke.await.unwrap();
        assert!(lived >= every * 5 / 2, "{lived:?}");
        assert_eq!(AGAIN_EVERY, Duration::from_secs(60));
    }
}
