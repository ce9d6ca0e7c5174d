"""A TCP relay that adds a round-trip time: one to connect, and half of one to every byte in each direction."""

import asyncio
import sys
import time


async def pipe(reader, writer, delay, limit=16 << 20):
    queue = asyncio.Queue()
    room = asyncio.Semaphore(limit // 65536)

    async def deliver():
        try:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if data is None:
                    break
                writer.write(data)
                await writer.drain()
                room.release()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            # The other side has had enough: so has this one.
            source.cancel()

    source = asyncio.current_task()
    delivery = asyncio.create_task(deliver())
    try:
        while data := await reader.read(65536):
            await room.acquire()
            queue.put_nowait((time.monotonic() + delay, data))
        queue.put_nowait((time.monotonic() + delay, None))
        await delivery
    except (OSError, asyncio.CancelledError):
        delivery.cancel()
    finally:
        writer.close()


async def main(port, target, rtt):
    async def serve(reader, writer):
        await asyncio.sleep(rtt)  # the handshake of a new connection
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(asyncio.create_task(pipe(reader, up_writer, rtt / 2)), asyncio.create_task(pipe(up_reader, writer, rtt / 2)))

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
    except KeyboardInterrupt:
        pass
