"""The models of the published measurements, as their config.json on the model hub has them."""

from __future__ import annotations

from ftui.plan.models import BaseModel

_TABLE = """
name                 layers hidden heads kv head mlp   vocab  tied mlps norm  layer
Qwen2.5-0.5B         24 896  14 2  64  4864  151936 1 3 rms   Qwen2DecoderLayer
Qwen2.5-1.5B         28 1536 12 2  128 8960  151936 1 3 rms   Qwen2DecoderLayer
Qwen2.5-3B           36 2048 16 2  128 11008 151936 1 3 rms   Qwen2DecoderLayer
Qwen2.5-7B           28 3584 28 4  128 18944 152064 0 3 rms   Qwen2DecoderLayer
Qwen2.5-14B          48 5120 40 8  128 13824 152064 0 3 rms   Qwen2DecoderLayer
Qwen2.5-32B          64 5120 40 8  128 27648 152064 0 3 rms   Qwen2DecoderLayer
Qwen2.5-Coder-32B    64 5120 40 8  128 27648 152064 0 3 rms   Qwen2DecoderLayer
Qwen2.5-72B          80 8192 64 8  128 29568 152064 0 3 rms   Qwen2DecoderLayer
Qwen2-7B             28 3584 28 4  128 18944 152064 0 3 rms   Qwen2DecoderLayer
Qwen-1.8B            24 2048 16 16 128 5504  151936 0 3 rms   QWenBlock
Qwen-7B              32 4096 32 32 128 11008 151936 0 3 rms   QWenBlock
Qwen-14B             40 5120 40 40 128 13696 152064 0 3 rms   QWenBlock
Qwen-72B             80 8192 64 64 128 24576 152064 0 3 rms   QWenBlock
Qwen3-0.6B           28 1024 16 8  128 3072  151936 1 3 rms   Qwen3DecoderLayer
Qwen3-1.7B           28 2048 16 8  128 6144  151936 1 3 rms   Qwen3DecoderLayer
Qwen3-4B             36 2560 32 8  128 9728  151936 1 3 rms   Qwen3DecoderLayer
Qwen3-8B             36 4096 32 8  128 12288 151936 0 3 rms   Qwen3DecoderLayer
Qwen3-14B            40 5120 40 8  128 17408 151936 0 3 rms   Qwen3DecoderLayer
Qwen3-32B            64 5120 64 8  128 25600 151936 0 3 rms   Qwen3DecoderLayer
Plano-Orchestrator-4B 36 2560 32 8 128 9728  151936 1 3 rms   Qwen3DecoderLayer
TinyLlama-1.1B       22 2048 32 4  64  5632  32000  0 3 rms   LlamaDecoderLayer
Llama-2-7B           32 4096 32 32 128 11008 32000  0 3 rms   LlamaDecoderLayer
Llama-2-13B          40 5120 40 40 128 13824 32000  0 3 rms   LlamaDecoderLayer
Llama-2-70B          80 8192 64 8  128 28672 32000  0 3 rms   LlamaDecoderLayer
CodeLlama-7B         32 4096 32 32 128 11008 32016  0 3 rms   LlamaDecoderLayer
CodeLlama-34B        48 8192 64 8  128 22016 32000  0 3 rms   LlamaDecoderLayer
Llama-3-8B           32 4096 32 8  128 14336 128256 0 3 rms   LlamaDecoderLayer
Llama-3.1-8B         32 4096 32 8  128 14336 128256 0 3 rms   LlamaDecoderLayer
Llama-3-70B          80 8192 64 8  128 28672 128256 0 3 rms   LlamaDecoderLayer
Llama-3.1-70B        80 8192 64 8  128 28672 128256 0 3 rms   LlamaDecoderLayer
Llama-3.3-70B        80 8192 64 8  128 28672 128256 0 3 rms   LlamaDecoderLayer
Llama-3.2-1B         16 2048 32 8  64  8192  128256 1 3 rms   LlamaDecoderLayer
Llama-3.2-3B         28 3072 24 8  128 8192  128256 1 3 rms   LlamaDecoderLayer
Mistral-7B           32 4096 32 8  128 14336 32768  0 3 rms   MistralDecoderLayer
Devstral-Small-2507  40 5120 32 8  128 32768 131072 0 3 rms   MistralDecoderLayer
MiMo-7B-RL           36 4096 32 8  128 11008 151680 0 3 rms   MiMoDecoderLayer
Yi-34B               60 7168 56 8  128 20480 64000  0 3 rms   LlamaDecoderLayer
falcon-7b            32 4544 71 1  64  18176 65024  1 2 layer FalconDecoderLayer
falcon-40b           60 8192 128 8 64  32768 65024  1 2 layer FalconDecoderLayer
gemma-2b             18 2048 8  1  256 16384 256000 1 3 rms   GemmaDecoderLayer
gemma-7b             28 3072 16 16 256 24576 256000 1 3 rms   GemmaDecoderLayer
gemma-2-2b           26 2304 8  4  256 9216  256000 1 3 rms   Gemma2DecoderLayer
gemma-2-9b           42 3584 16 8  256 14336 256000 1 3 rms   Gemma2DecoderLayer
gemma-2-27b          46 4608 32 16 128 36864 256000 1 3 rms   Gemma2DecoderLayer
phi-1.5              24 2048 32 32 64  8192  51200  0 2 layer PhiDecoderLayer
phi-2                32 2560 32 32 80  10240 51200  0 2 layer PhiDecoderLayer
Phi-3-mini           32 3072 32 32 96  8192  32064  0 3 rms   Phi3DecoderLayer
StableLM-alpha-3B    16 4096 32 32 128 16384 50688  0 2 layer GPTNeoXLayer
stablelm-2-1_6b      24 2048 32 32 64  5632  100352 0 3 layer StableLmDecoderLayer
bloomz-7b1           30 4096 32 32 128 16384 250880 1 2 layer BloomBlock
pythia-1b            16 2048 8  8  256 8192  50304  0 2 layer GPTNeoXLayer
pythia-2.8b          32 2560 32 32 80  10240 50304  0 2 layer GPTNeoXLayer
pythia-6.9b          32 4096 32 32 128 16384 50432  0 2 layer GPTNeoXLayer
"""


def _models() -> dict[str, BaseModel]:
    models = {}
    for line in _TABLE.strip().splitlines()[1:]:
        name, *figures, norm, layer = line.split()
        layers, hidden, heads, kv, head, mlp, vocabulary, tied, mlps = (int(f) for f in figures)
        model = BaseModel(
            id=name,
            title=name,
            parameters=0,
            layers=layers,
            hidden=hidden,
            heads=heads,
            kv_heads=kv,
            head_size=head,
            mlp=mlp,
            vocabulary=vocabulary,
            tied=bool(tied),
            decoder_layer=layer,
            chat_template="",
            gated=False,
            licence="",
            source="",
            mlp_matrices=mlps,
            norm=norm,
        )
        models[name.lower()] = model
    return models


_MODELS = _models()


def architecture(name: str) -> BaseModel | None:
    """The model that a row means: the longest name of the table that its own begins with."""
    plain = name.rpartition("/")[2].lower().removeprefix("meta-")
    fitting = [known for known in _MODELS if plain.startswith(known)]
    return _MODELS[max(fitting, key=len)] if fitting else None
