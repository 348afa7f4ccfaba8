"""Run the command line: `python -m gateway`, and the script `gateway`."""

import gc


def main() -> None:
    """Run the command of `sys.argv`."""
    gc.set_threshold(50_000, 20, 100)  # imports leave nothing behind that is worth looking for
    from gateway.cli import main as command  # noqa: PLC0415 - by then, imports are quick

    command()


if __name__ == "__main__":
    main()
