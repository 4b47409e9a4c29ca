"""What is known of vLLM, wherever it runs: its command line, its log, and how one talks to it.

`ftui/serve` runs it on this machine, `ftui/targets/*/serving.py` on rented ones.
"""
