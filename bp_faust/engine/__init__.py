"""Run Faust agents on whole batches, each batch one fenced Kafka transaction.

This package is the only place that knows the insides of Faust; it is written for faust-streaming 0.15 and has its own
tests against a real broker. What each part overrides, and why:

- ``transport``: a plain agent costs four asyncio tasks a record, so the consumer delivers one event per fetched
  partition batch, bounds what is in flight, and commits only behind finished batches. ``consumer_thread`` fetches
  committed records alone, and does not copy each.
- ``transactions``: everything that a batch does inside Kafka is one transaction of its source partition's own producer,
  which fences whoever had the partition before.
- ``state``: a table whose changes travel in that transaction and are then written to RocksDB in one step together with
  the changelog position that they stand for; ``partition_database`` is one partition's RocksDB.
- ``recovery``: tables are brought up to date by reading their changelogs in batches, committed records only, after the
  predecessor was fenced.
- ``together``: a few records outside any batch, in one transaction of their own.
- ``web``: none of Faust's own pages is served, and requests reach the worker that has the key with their bodies.
- ``assignment``: partitions are shared out evenly, where Faust leaves a worker without.
- ``supervision``: an App that knows how it stands, misses what has ended without a word (``watchdog``), and stops after
  an error, after which Faust goes on; ``worker`` ends the process in time.
- ``application``: the App that puts these in Faust's places, and the agents' decorators.
"""
