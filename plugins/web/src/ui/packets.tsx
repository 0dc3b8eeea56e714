/** The packets of one flow as a capture file, as far as the server keeps them. */

import { useEffect, useState } from "preact/hooks";
import { ApiError, getBlob } from "../api/client";

/** A button that saves them; says why where there are none. */
export function Packets({ flow }: { flow: string }) {
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => setSaid(""), [flow]);
  if (!/^\d+$/.test(flow) || flow === "0") return null;
  const save = async () => {
    setBusy(true);
    setSaid("");
    try {
      const { blob, headers } = await getBlob(`v1/packets?flow_id=${flow}`);
      const address = URL.createObjectURL(blob);
      const link = document.createElement("a");
      link.href = address;
      link.download = `flow-${flow}.pcap`;
      link.click();
      URL.revokeObjectURL(address);
      const out = Number(headers.get("x-metaflow-left-out") ?? 0);
      const agent = headers.get("x-metaflow-agent");
      setSaid(`${headers.get("x-metaflow-packets") ?? "?"} packets saved${out ? `, ${out} left out` : ""}${agent ? `, from agent ${agent}, which saw them` : ""}`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const isAbsent = error.status === 404 && /^(This server has no|there is nothing at) /.test(error.message);
      setSaid(isAbsent ? `No packets are kept here: mflow up and mflow agent keep those of their own machines unless told --keep-packets off. Of a capture: mflow read FILE --flow ${flow} --out flow.pcap` : error.message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <button type="button" onClick={() => void save()} disabled={busy} title={`Also: mflow packets ${flow} --out flow.pcap`}>
        {busy ? "Looking…" : "Its packets (pcap)"}
      </button>
      {" "}
      <span class="note" role="status">
        {said}
      </span>
    </>
  );
}
