//! Images: their names in the list, in requests and in replies.

use crate::client::*;
use connect_test_server::{Cache, Echo, Images, Sanitizer, Server};
use serde_json::json;

const IMAGE: &str = "ghcr.io/Acme/r_base:4.3--x";

fn with(sanitizer: Sanitizer, echo: Echo) -> Server {
    let caches = vec![Cache::new("R", "4.3.0", IMAGE), Cache::new("R", "4.3.0", "Local")];
    Server::builder().caches(caches).images(Images { sanitizer, echo }).start()
}

fn dry_run(server: &Server, image: &str) -> Reply {
    let body = json!({ "language": "R", "version": "4.3.0", "image_name": image, "dry_run": true });
    delete(server, &body.to_string())
}

#[test]
fn lists_images_by_the_configured_rule() {
    for (sanitizer, listed) in [
        (Sanitizer::Collapse, "ghcr-io-acme-r-base-4-3-x"),
        (Sanitizer::KeepCase, "ghcr-io-Acme-r-base-4-3--x"),
        (Sanitizer::Underscores, "ghcr_io_acme_r_base_4_3__x"),
        (Sanitizer::KeepDots, "ghcr.io-acme-r-base-4.3--x"),
        (Sanitizer::AppendHash, "ghcr-io-acme-r-base-4-3-x-4a3a5bf2"),
    ] {
        let server = with(sanitizer, Echo::default());
        let list = request(&server, &format!("GET {CACHES}"), "admin-key", "").json();
        let images = [&list["caches"][0]["image_name"], &list["caches"][1]["image_name"]];
        assert_eq!(images, [listed, "Local"], "{sanitizer:?}");
        for (image, answer) in
            [(IMAGE, (200, 0)), (listed, (200, 0)), ("ghcr.io/acme/r_base:4.3--x", (404, 4))]
        {
            assert_eq!(dry_run(&server, image).code(), answer, "{sanitizer:?}: {image}");
        }
        let body = json!({ "language": "R", "version": "4.3.0", "image_name": listed });
        assert_eq!(delete(&server, &body.to_string()).status, 200);
        assert_eq!(server.caches(), [Cache::new("R", "4.3.0", "Local")], "{sanitizer:?}");
    }
}

#[test]
fn spells_images_in_replies_as_configured() {
    let underscores = "ghcr_io_acme_r_base_4_3__x";
    let kept = "ghcr-io-Acme-r-base-4-3--x";
    for (echo, by_literal, by_listed) in [
        (Echo::Listed, underscores, underscores),
        (Echo::Requested, IMAGE, underscores),
        (Echo::Stored, IMAGE, IMAGE),
        (Echo::Sanitized(Sanitizer::KeepCase), kept, kept),
    ] {
        let server = with(Sanitizer::Underscores, echo);
        assert_eq!(dry_run(&server, IMAGE).json()["image_name"], by_literal, "{echo:?}");
        assert_eq!(dry_run(&server, underscores).json()["image_name"], by_listed, "{echo:?}");
        assert_eq!(dry_run(&server, "Local").json()["image_name"], "Local", "{echo:?}");
        let body = json!({ "language": "R", "version": "4.3.0", "image_name": IMAGE });
        assert_eq!(delete(&server, &body.to_string()).json()["image_name"], by_literal, "{echo:?}");
    }
}
