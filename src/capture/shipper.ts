import { rmSync } from "node:fs";
import { join } from "node:path";
import type { BlobStore } from "../blobs/blobs.js";
import { messageOf } from "../errors.js";
import type { Logger } from "../log.js";
import type { Catalogue } from "../store/groups.js";
import { type Epoch, epochFiles } from "./epoch.js";
import { createShipMemory, shipFile } from "./ship-file.js";
import type { ClosedFile } from "./spool-file.js";

/** Between cuts that are shipped without a segment. */
const loneCutEveryMs = 1_000;
/** Between those that say that nothing came. */
const idleCutEveryMs = 5_000;
const idleMs = 100;
const backoffMs = { first: 250, most: 10_000 };

/** Ships what the spool holds, one thing at a time, the oldest epoch first; for as long as it takes. */
export interface Shipper {
  /** Epochs to be shipped; one that has ended leaves when nothing of it is left. */
  add(epoch: Epoch): void;
  /** There is something new. */
  wake(): void;
  /** Goes on until all is shipped, or for `deadlineMs`. Resolves when nothing is under way. */
  finish(deadlineMs: number): Promise<void>;
}

interface Ward {
  epoch: Epoch;
  loneCutAtMs: number;
  shippedCut: number;
  shippedState: Epoch["state"] | null;
  /** A commit may or may not have gone through: until it is sent again, no other cut would be right. */
  uncertain: boolean;
}

export function createShipper(deps: {
  blobs: BlobStore;
  catalogue: Catalogue;
  bodyBytesMax: number;
  largeBodyBytes: number;
  /** Works that are ready to be queued. Must not throw. */
  onWork: (workIds: bigint[]) => void;
  onFileDone: (file: ClosedFile) => void;
  log: Logger;
}): Shipper {
  const { catalogue, onWork, onFileDone, log } = deps;
  const wards: Ward[] = [];
  const memory = createShipMemory();
  let stopping = false;
  let deadlineAtMs = Number.POSITIVE_INFINITY;
  let failures = 0;
  let rouse: () => void = () => {};

  async function shipOneFile(ward: Ward, file: ClosedFile): Promise<void> {
    const workIds = await shipFile({ ...deps, memory }, ward.epoch, file, () => {
      ward.uncertain = true;
    });
    ward.uncertain = false;
    ward.shippedState = ward.epoch.state;
    ward.shippedCut = ward.epoch.cut;
    ward.epoch.files.shift();
    onFileDone(file);
    if (workIds.length > 0) onWork(workIds);
  }

  async function shipLoneCut(ward: Ward): Promise<boolean> {
    const { epoch } = ward;
    const now = performance.now();
    const stateIsNews = epoch.cut > 0 && ward.shippedState !== epoch.state;
    const due = stopping || epoch.state !== "live" || now - ward.loneCutAtMs >= loneCutEveryMs;
    const idleIsNews = epoch.cut > ward.shippedCut && now - ward.loneCutAtMs >= idleCutEveryMs;
    if (ward.uncertain || !due || !(epoch.account.dirty || stateIsNews || idleIsNews)) return false;
    ward.loneCutAtMs = now;
    const shipment = epoch.account.ship();
    const { state, cut } = epoch;
    await catalogue.shipCut(await epoch.syncedCut(shipment.minutes));
    shipment.arrived();
    ward.shippedState = state;
    ward.shippedCut = cut;
    return true;
  }

  function retire(ward: Ward): void {
    wards.splice(wards.indexOf(ward), 1);
    ward.epoch.close();
    // In this order, should it end halfway: a reservation without a journal would settle as lost.
    for (const name of [epochFiles.reservation, epochFiles.journal]) {
      rmSync(join(ward.epoch.folder, name), { force: true });
    }
    rmSync(ward.epoch.folder, { recursive: true, force: true });
  }

  /** Ships one thing of one epoch. False: there was nothing to ship. */
  async function shipNext(ward: Ward): Promise<boolean> {
    const file = ward.epoch.files[0];
    if (file !== undefined) {
      try {
        await shipOneFile(ward, file);
      } catch (error) {
        // The blob store may be what is failing; Postgres should see how much is buffered all the same.
        await shipLoneCut(ward).catch(() => {});
        throw error;
      }
      return true;
    }
    if (await shipLoneCut(ward)) return true;
    if (ward.epoch.state === "live" || ward.epoch.account.dirty) return false;
    retire(ward);
    return true;
  }

  /** One thing of each epoch: none waits for another's trouble. @throws the first trouble */
  async function shipRound(): Promise<boolean> {
    const outcomes: boolean[] = [];
    const troubles: unknown[] = [];
    for (const ward of [...wards]) {
      await shipNext(ward).then(
        (shipped) => outcomes.push(shipped),
        (error) => troubles.push(error),
      );
    }
    if (troubles.length > 0) throw troubles[0];
    return outcomes.includes(true);
  }

  async function pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, Math.min(ms, deadlineAtMs - performance.now())));
      rouse = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function run(): Promise<void> {
    while (performance.now() < deadlineAtMs) {
      try {
        const shipped = await shipRound();
        if (failures > 0) log.info({ failures }, "shipping again");
        failures = 0;
        if (shipped) continue;
        if (stopping) return;
        await pause(idleMs);
      } catch (error) {
        failures += 1;
        const waitMs = Math.min(backoffMs.first * 2 ** Math.min(failures - 1, 10), backoffMs.most);
        if (failures === 1 || failures % 10 === 0) {
          log.warn(
            { error: messageOf(error), failures },
            "shipping failed; the spool keeps what is captured",
          );
        }
        await pause(waitMs);
      }
    }
  }

  const running = run();
  return {
    add(epoch) {
      wards.push({ epoch, loneCutAtMs: 0, shippedCut: 0, shippedState: null, uncertain: epoch.isSending });
    },
    wake() {
      if (failures === 0) rouse();
    },
    async finish(deadlineMs) {
      stopping = true;
      deadlineAtMs = performance.now() + deadlineMs;
      rouse();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, deadlineMs);
      });
      await Promise.race([running, late]);
      clearTimeout(timer);
    },
  };
}
