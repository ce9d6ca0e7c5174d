//! What a panic inside a paying call says of it. The transport panics on purpose, at a place that each test names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::{CStr, CString, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use futures_util::stream;
use junfeiai::async_compat::BoxFuture;
use junfeiai::transport::{Headers, HttpRequest, HttpResponse, Method, Transport, TransportError};
use junfeiai::{Client, ErrorKind, VideoRequest};

use crate::client_runtime::ClientRuntime;
use crate::error_handle::jfai_error;
use crate::many::{jfai_batch, jfai_batch_next, jfai_generate_many};
use crate::request::jfai_request;
use crate::task::jfai_task;
use crate::video::jfai_video;
use crate::{calls, calls_async, error, jfai_client, jfai_names};

const ID: &str = "task_of_the_test";

/// Where the transport panics.
#[derive(Clone, Copy, PartialEq)]
enum At {
    /// While the response to the create request is waited for.
    Create,
    /// While a state is queried, when the task exists.
    Query,
}

struct Panics(At);

impl Transport for Panics {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        let at = self.0;
        Box::pin(async move {
            let creates = request.method == Method::Post;
            // The request is on its way: its caller is polled again before anything comes of it.
            tokio::task::yield_now().await;
            assert_ne!(creates, at == At::Create, "on purpose");
            let body = format!("{{\"id\":\"{ID}\",\"task_id\":\"{ID}\",\"status\":\"queued\"}}");
            Ok(HttpResponse {
                status: 200,
                headers: Headers::new(),
                body: Box::pin(stream::once(async move { Ok(body.into()) })),
            })
        })
    }
}

fn client(at: At) -> Box<jfai_client> {
    let builder =
        Client::builder().api_key("sk-test").endpoint("http://127.0.0.1:9/v1").transport(Arc::new(Panics(at)));
    jfai_client::new(ClientRuntime::new(builder).unwrap())
}

fn request() -> Box<jfai_request> {
    let mut place = MaybeUninit::uninit();
    let prompt = CString::new("a ball").unwrap();
    // SAFETY: a string of C that lives longer than the call.
    assert_eq!(unsafe { crate::jfai_request_new(prompt.as_ptr(), Some(&mut place), None) }, 0);
    // SAFETY: written, since the call succeeded.
    let made = unsafe { place.assume_init() };
    assert_eq!(VideoRequest::new("a ball").prompt, made.request.prompt);
    made
}

/// Which task the error names, and whether it says that a create may have been carried out.
fn facts(error: &jfai_error) -> (Option<String>, bool) {
    assert_eq!(error::jfai_error_status(Some(error)), i32::from(ErrorKind::Internal.number()));
    let id = error::jfai_error_task_id(Some(error));
    // SAFETY: a string of the error, which lives.
    let id = (!id.is_null()).then(|| unsafe { CStr::from_ptr(id) }.to_str().unwrap().to_owned());
    (id, error::jfai_error_maybe_executed(Some(error)))
}

fn in_doubt() -> (Option<String>, bool) {
    (None, true)
}

fn known() -> (Option<String>, bool) {
    (Some(ID.to_owned()), false)
}

#[test]
fn a_panic_while_a_create_is_in_flight_leaves_its_outcome_unknown() {
    let (client, request) = (client(At::Create), request());
    let (mut task, mut video, mut err) = (MaybeUninit::uninit(), MaybeUninit::uninit(), MaybeUninit::uninit());
    assert_ne!(calls::jfai_create(Some(&client), Some(&request), None, Some(&mut task), Some(&mut err)), 0);
    // SAFETY: written, since the call failed.
    assert_eq!(facts(&*unsafe { err.assume_init() }), in_doubt());
    let mut err = MaybeUninit::uninit();
    assert_ne!(calls::jfai_generate(Some(&client), Some(&request), None, None, Some(&mut video), Some(&mut err)), 0);
    // SAFETY: as above.
    assert_eq!(facts(&*unsafe { err.assume_init() }), in_doubt());
}

#[test]
fn a_panic_after_the_create_carries_the_id() {
    let (client, request) = (client(At::Query), request());
    let (mut video, mut err) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    assert_ne!(calls::jfai_generate(Some(&client), Some(&request), None, None, Some(&mut video), Some(&mut err)), 0);
    // SAFETY: written, since the call failed.
    assert_eq!(facts(&*unsafe { err.assume_init() }), known());

    // A wait for a task that was given knows it as well.
    let mut task = MaybeUninit::uninit();
    let id = CString::new(ID).unwrap();
    // SAFETY: a string of C that lives longer than the call.
    assert_eq!(unsafe { calls::jfai_task_by_id(Some(&client), id.as_ptr(), Some(&mut task), None) }, 0);
    // SAFETY: written, since the call succeeded.
    let task = unsafe { task.assume_init() };
    let (mut video, mut err) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    assert_ne!(calls::jfai_wait(Some(&task), None, None, Some(&mut video), Some(&mut err)), 0);
    // SAFETY: written, since the call failed.
    assert_eq!(facts(&*unsafe { err.assume_init() }), known());
}

type Facts = (Option<String>, bool);

unsafe extern "C" fn on_task(user: *mut c_void, task: Option<Box<jfai_task>>, error: Option<Box<jfai_error>>) {
    assert!(task.is_none());
    // SAFETY: the test hands over a sender that lives until it was called.
    unsafe { &*user.cast::<Sender<Facts>>() }.send(facts(&error.unwrap())).unwrap();
}

unsafe extern "C" fn on_video(user: *mut c_void, video: Option<Box<jfai_video>>, error: Option<Box<jfai_error>>) {
    assert!(video.is_none());
    // SAFETY: as above.
    unsafe { &*user.cast::<Sender<Facts>>() }.send(facts(&error.unwrap())).unwrap();
}

#[test]
fn panics_of_asynchronous_calls_reach_their_callbacks_with_the_facts() {
    let (sender, receiver): (Sender<Facts>, Receiver<Facts>) = channel();
    let user = ptr::from_ref(&sender).cast_mut().cast();
    let (first, second, request) = (client(At::Create), client(At::Query), request());
    // SAFETY: the sender lives until the callbacks were called.
    unsafe {
        let done = Some(on_task as unsafe extern "C" fn(_, _, _));
        assert_eq!(calls_async::jfai_create_async(Some(&first), Some(&request), None, None, done, user, None), 0);
        assert_eq!(receiver.recv().unwrap(), in_doubt());
        let done = Some(on_video as unsafe extern "C" fn(_, _, _));
        assert_eq!(
            calls_async::jfai_generate_async(Some(&first), Some(&request), None, None, None, done, user, None),
            0
        );
        assert_eq!(receiver.recv().unwrap(), in_doubt());
        assert_eq!(
            calls_async::jfai_generate_async(Some(&second), Some(&request), None, None, None, done, user, None),
            0
        );
        assert_eq!(receiver.recv().unwrap(), known());
    }
    crate::jfai_client_free(Some(first));
    crate::jfai_client_free(Some(second));
}

#[test]
fn a_panic_in_a_batch_lists_what_exists() {
    let (client, request) = (client(At::Query), request());
    let requests = [Some(&*request)];
    let mut batch: MaybeUninit<Box<jfai_batch>> = MaybeUninit::uninit();
    // SAFETY: one handle, as it says.
    assert_eq!(unsafe { jfai_generate_many(Some(&client), requests.as_ptr().cast(), 1, 1, Some(&mut batch), None) }, 0);
    // SAFETY: written, since the call succeeded.
    let mut batch = unsafe { batch.assume_init() };
    let (mut result, mut err) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    assert_ne!(jfai_batch_next(Some(&mut batch), None, Some(&mut result), Some(&mut err)), 0);
    // SAFETY: written, since the call failed.
    let error = unsafe { err.assume_init() };
    assert_eq!(facts(&error), known());
    assert_eq!(error::jfai_error_task_count(Some(&error)), 1);
    let mut names: MaybeUninit<Box<jfai_names>> = MaybeUninit::uninit();
    assert_eq!(crate::jfai_batch_task_ids(Some(&batch), Some(&mut names), None), 0);
    // SAFETY: written, since the call succeeded.
    assert_eq!(crate::jfai_names_count(Some(&*unsafe { names.assume_init() })), 1);
}
