// The script that a job of Slurm runs on its node. The folder of the fleet is on a file system that the nodes share.
// Facts: sbatch(1), OUTPUT ENVIRONMENT VARIABLES: SLURMD_NODENAME is the node's name in Slurm, which its hostname need
// not be.

import Measurement

/// The script of a host's job.
struct JobScript {
  let host: HostName
  let folder: String
  let command: FleetCommand
  /// Whether the host's own `spectrap` is used, not the one in the folder.
  let isInstalled: Bool

  /// The status with which the script ends where the folder cannot be entered.
  static let noFolder = 66

  /// The script: its files appear whole under their names, the status last.
  var text: String {
    """
    #!/bin/sh
    # Measures one host of a fleet; written by `spectrap fleet run`.
    export LC_ALL=C
    host=\(Shell.quoted(host.text))
    cd \(Shell.quoted(folder)) || exit \(Self.noFolder)
    json=.$host.json.$$
    err=.$host.err.$$
    if [ "${SLURMD_NODENAME:-$host}" != "$host" ]; then
      echo "the job of $host was given the node $SLURMD_NODENAME" >"$host.err"
      exit 70
    fi
    \(measurement)
    if [ -s "$json" ]; then mv -f "$json" "$host.json"; else rm -f "$json"; fi
    mv -f "$err" "$host.err"
    printf '{"schemaVersion":\(HostStatus.currentSchemaVersion),"kind":"status","host":"%s","exitStatus":%d,"began":"%s","ended":"%s"}\\n' \\
      "$host" "$status" "$began" "$ended" >".$host.status.$$" && mv -f ".$host.status.$$" "$host.status.json"
    exit "$status"

    """
  }

  /// Slurm sends its signals to every process of a job, so the program needs none from the script.
  private var measurement: String {
    Shell.measurement(
      of: command, on: host, program: isInstalled ? "spectrap" : "./\(FleetFolder.program)", onSignal: ":")
  }
}
