//! The replies of the server in memory, good and odd ones.

use std::time::Duration;

use crate::api::RuntimeCache;
use crate::deletion::simulation::incident::{Asked, Odd};
use crate::error::{ErrorKind, Excerpt};
use crate::http::{Broken, Reply};

/// A status and a body.
pub(super) type Content = (u16, String);

/// Returns Connect's error object.
pub(super) fn error(status: u16, code: i64) -> Content {
    (status, format!(r#"{{"code":{code},"error":"no","payload":null}}"#))
}

/// Returns the list of these rows.
pub(super) fn list(rows: &[RuntimeCache]) -> Content {
    let rows: Vec<String> = rows.iter().map(cache).collect();
    (200, format!(r#"{{"caches":[{}]}}"#, rows.join(",")))
}

/// Returns the server's settings.
pub(super) fn settings() -> Content {
    (200, r#"{"version":"2026.09.0"}"#.to_owned())
}

fn cache(cache: &RuntimeCache) -> String {
    let RuntimeCache { language, version, image_name } = cache;
    format!(r#"{{"language":"{language}","version":"{version}","image_name":"{image_name}"}}"#)
}

/// Returns the reply to a DELETE or a dry run of this cache that is accepted, with the number of its task.
pub(super) fn accepted(named: &RuntimeCache, task: Option<usize>) -> Content {
    let task = task.map_or("null".to_owned(), |number| format!(r#""task-{number}""#));
    let named = cache(named);
    (200, format!(r#"{},"task_id":{task}}}"#, &named[..named.len() - 1]))
}

/// Returns the state of a task, its code and error once it has finished, with the output from line `first` on.
pub(super) fn task(number: usize, end: Option<(i64, &str)>, first: usize) -> Content {
    let lines: &[&str] = if end.is_some() { &[r#""Deleting""#, r#""Done""#] } else { &[r#""Deleting""#] };
    let last = lines.len();
    let (output, finished) = (lines[first.min(last)..].join(","), end.is_some());
    let (code, error) = end.unwrap_or_default();
    let body = format!(
        r#"{{"id":"task-{number}","output":[{output}],"finished":{finished},"code":{code},"error":"{error}","last":{last}}}"#
    );
    (200, body)
}

/// Returns a reply whose head states its length.
pub(super) fn framed((status, body): Content) -> Reply {
    let length = body.len() as u64;
    Reply {
        status,
        headers: vec![("content-length".to_owned(), length.to_string())],
        body: body.into_bytes(),
        length,
        refuses_basic: false,
    }
}

/// Returns what arrives instead of a good reply with this body, within this limit.
pub(super) fn odd(odd: Odd, asked: Asked, body: &str, limit: Duration) -> Result<Reply, Broken> {
    let broken = |kind, sent, reused| Err(Broken { kind, sent, reused, source: None });
    let page = |status: u16| (status, format!("<html><title>{status}</title></html>"));
    let half = body[..body.len() / 2].to_owned();
    let reply = match odd {
        Odd::NotSent => {
            let (to, problem) = ("connect.test".to_owned(), "refused".to_owned());
            return broken(ErrorKind::Connect { to, problem }, false, false);
        }
        Odd::Closed => return broken(ErrorKind::Lost("closed".to_owned()), false, true),
        Odd::Lost => return broken(ErrorKind::Lost("reset".to_owned()), true, false),
        Odd::LostReused => return broken(ErrorKind::Lost("reset".to_owned()), true, true),
        Odd::Late => return broken(ErrorKind::TimedOut(limit), true, false),
        Odd::NotHttp => return broken(ErrorKind::NotHttp(Excerpt::default()), true, false),
        Odd::Page(status) => page(status),
        Odd::Connect(status, code) => error(status, code),
        Odd::Busy(seconds) => {
            let mut reply = framed(page(429));
            reply.headers.push(("retry-after".to_owned(), seconds.to_string()));
            return Ok(reply);
        }
        Odd::Empty => (200, String::new()),
        Odd::Html => page(200),
        Odd::CutJson => (200, half),
        Odd::CutUnframed => return Ok(Reply { headers: Vec::new(), ..framed((200, half)) }),
        Odd::Other if asked == Asked::Poll => (200, body.replace("\"task-", "\"other-")),
        Odd::Other | Odd::NoTask | Odd::Started => (200, body.to_owned()),
    };
    Ok(framed(reply))
}
