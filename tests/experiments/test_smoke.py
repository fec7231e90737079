import time
from tests.experiments.command_line import *
def test_a(apps, tmp_path):
    t=time.time()
    print(apps("train","--help",cwd=tmp_path)[0], time.time()-t); t=time.time()
    print(apps("train","--help",cwd=tmp_path)[0], time.time()-t); t=time.time()
    r=apps("train",*WORDS,*SMALL,"logger=none",cwd=tmp_path); print(r.out,r.err,r.code, time.time()-t); t=time.time()
    r=apps("train",*WORDS,*SMALL,cwd=tmp_path); print(r.out,r.err,r.code, time.time()-t); t=time.time()
    r=apps("train",*SPEECH,*SMALL,"logger=none",cwd=tmp_path); print(r.out,r.err,r.code, time.time()-t); t=time.time()
    r=apps("train",*WORDS,*SMALL,"logger=none","trainer.max_steps=30",cwd=tmp_path); print(r.out,r.err,r.code, time.time()-t); t=time.time()
    r=apps("train",*WORDS,*SMALL,"logger=none","latent.z_dim=0",cwd=tmp_path); print(r.out,r.err,r.code, time.time()-t); t=time.time()
    print(Run.all(tmp_path)[1].wandb()[0]["state"], time.time()-t)
