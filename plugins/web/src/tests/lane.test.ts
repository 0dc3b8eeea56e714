import { expect, test } from "vitest";
import { Lane } from "../api/lane";

const soon = () => new Promise<void>((done) => setTimeout(done, 1));

test("never more at once than allowed, and every task has its turn", async () => {
  const lane = new Lane(3);
  let now = 0;
  let most = 0;
  const task = async (n: number) => {
    most = Math.max(most, (now += 1));
    await soon();
    now -= 1;
    if (n % 5 === 0) throw new Error(`task ${n}`);
    return n;
  };
  const done = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => lane.run(() => task(n))));
  expect(most).toBe(3);
  expect(done.filter((each) => each.status === "fulfilled")).toHaveLength(16);
});

test("who is given up while waiting never begins, and blocks nobody", async () => {
  const lane = new Lane(1);
  const control = new AbortController();
  const begun: string[] = [];
  const first = lane.run(async () => (begun.push("first"), soon()));
  const second = lane.run(async () => void begun.push("second"), control.signal);
  const third = lane.run(async () => void begun.push("third"));
  control.abort();
  await expect(second).rejects.toThrow("given up");
  await Promise.all([first, third]);
  expect(begun).toEqual(["first", "third"]);
});
