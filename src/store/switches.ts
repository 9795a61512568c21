import type { PrismaClient } from "./client.js";

/** A switch that holds for all deployments; null: it was never touched, which is on. */
export interface Switch {
  enabled: boolean;
  changedAtMs: number | null;
}

export interface Switches {
  capture(): Promise<Switch>;
  setCapture(enabled: boolean): Promise<Switch>;
}

const captureName = "capture";

export function createSwitches(prisma: Pick<PrismaClient, "setting">): Switches {
  return {
    async capture() {
      const row = await prisma.setting.findUnique({ where: { name: captureName } });
      return { enabled: row?.value !== false, changedAtMs: row?.updatedAt.getTime() ?? null };
    },
    async setCapture(enabled) {
      const row = await prisma.setting.upsert({
        where: { name: captureName },
        create: { name: captureName, value: enabled },
        update: { value: enabled },
      });
      return { enabled, changedAtMs: row.updatedAt.getTime() };
    },
  };
}
