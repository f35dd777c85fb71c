"""Checks the settings of packaging/kubernetes/cronjob.yaml: cronjob.py FILE"""

import sys

import yaml

spec = yaml.safe_load(open(sys.argv[1]))["spec"]
pod = spec["jobTemplate"]["spec"]["template"]["spec"]
[container] = pod["containers"]
volumes = {volume["name"]: volume for volume in pod["volumes"]}
mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
env = {variable["name"]: variable["value"] for variable in container["env"]}
limits = container["securityContext"]

assert spec["concurrencyPolicy"] == "Forbid"
assert pod["restartPolicy"] == "Never" and spec["jobTemplate"]["spec"]["backoffLimit"] == 0
assert pod["automountServiceAccountToken"] is False
assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0
assert limits["readOnlyRootFilesystem"] is True and limits["allowPrivilegeEscalation"] is False
assert limits["capabilities"]["drop"] == ["ALL"]
assert container["resources"]["limits"]["memory"] == "16Mi"
assert container["args"] == ["purge", "--orphaned", "--yes", "--retries", "6"]
# The key is a file from a secret that other users cannot read. 0440 in YAML is octal.
assert "CONNECT_API_KEY" not in env and env["CONNECT_API_KEY_FILE"].startswith(mounts["key"]["mountPath"] + "/")
assert volumes["key"]["secret"]["defaultMode"] == 0o440
assert env["CONNECT_CA_CERTIFICATE"].startswith(mounts["ca"]["mountPath"] + "/") and "configMap" in volumes["ca"]
