//! `RangeResponse` and `AsyncRangeResponse`: what a route of a web framework hands on to a player.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::blocking_runtime::PinnedRuntime;
use crate::calls::pieces;
use crate::iterators::{AsyncIterator, Iterator};

/// Status, headers and length of an answer.
struct Head {
    status: u16,
    headers: Py<PyDict>,
    total: Option<u64>,
}

impl Head {
    fn new(py: Python<'_>, response: &junfeiai::RangeResponse) -> PyResult<Self> {
        let headers = PyDict::new(py);
        for (name, value) in &response.headers {
            headers.set_item(name, value)?;
        }
        Ok(Self { status: response.status, headers: headers.unbind(), total: response.total })
    }
}

macro_rules! range_response {
    ($(#[$doc:meta])* $Class:ident, $Iterator:ident, $iter:ident, $make:expr) => {
        $(#[$doc])*
        #[pyclass(frozen, module = "junfeiai")]
        pub(crate) struct $Class {
            head: Head,
            body: Py<$Iterator>,
        }

        impl $Class {
            pub(crate) fn new(
                py: Python<'_>,
                response: junfeiai::RangeResponse,
                pinned: PinnedRuntime,
            ) -> PyResult<Self> {
                let head = Head::new(py, &response)?;
                Ok(Self { head, body: Py::new(py, $make(pieces(response.body), pinned))? })
            }
        }

        #[pymethods]
        impl $Class {
            /// 200, 206 (a part), or 416 (the part lies behind the end).
            #[getter]
            fn status(&self) -> u16 {
                self.head.status
            }

            /// The headers that a player looks at, among them ``Content-Length``, ``Content-Range`` and ``Content-Type``.
            #[getter]
            fn headers(&self, py: Python<'_>) -> Py<PyDict> {
                self.head.headers.clone_ref(py)
            }

            /// Length of the whole video in bytes, if known. Give it to the next call of ``serve`` for the same video.
            #[getter]
            fn total(&self) -> Option<u64> {
                self.head.total
            }

            fn $iter(&self, py: Python<'_>) -> Py<$Iterator> {
                self.body.clone_ref(py)
            }

            fn __repr__(&self) -> String {
                format!("{}(status={})", stringify!($Class), self.head.status)
            }
        }
    };
}

range_response!(
    /// The answer to a player: status, headers, and the bytes by iterating. Leaving the iteration ends the transfer.
    /// ``Video.serve`` returns it.
    ///
    /// >>> video = client.videos.generate("A small red ball bouncing once", seconds=6)
    /// >>> answer = video.serve("bytes=4-7")
    /// >>> answer.status, answer.headers.get("Content-Length"), b"".join(answer)
    /// (206, '4', b'ftyp')
    RangeResponse,
    Iterator,
    __iter__,
    Iterator::pinned_to
);

range_response!(
    /// The answer to a player: status, headers, and the bytes by ``async for``. Leaving the iteration ends the transfer.
    /// ``AsyncVideo.serve`` returns it.
    ///
    /// >>> import asyncio
    /// >>> async def main():
    /// ...     video = await async_client.videos.generate("A small red ball bouncing once", seconds=6)
    /// ...     answer = await video.serve("bytes=4-7")
    /// ...     return answer.status, b"".join([piece async for piece in answer])
    /// >>> asyncio.run(main())
    /// (206, b'ftyp')
    AsyncRangeResponse,
    AsyncIterator,
    __aiter__,
    |items, _| AsyncIterator::new(items, None)
);
